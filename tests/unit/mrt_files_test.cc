// Real MRT files against bgpdump: the same routes, field by field.
//
// Our records are written the way `bgpdump -m` writes its lines, and both sides are sorted. Where we
// differ on purpose, `kDifferences` says why.
#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "mrt_builder.h"

using namespace mrt_test;

namespace {

using Strings = std::vector<std::string>;

std::string folder() {
  const char* data = std::getenv("LAPWING_SHARED_DATA");
  return data != nullptr && std::filesystem::exists(std::string(data) + "/mrt") ? data : "";
}

/// The text after a last separator counts only if there is some.
Strings split(const std::string& text, char separator) {
  Strings parts;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::string gunzip(const std::string& path) {
  std::string out;
  char buffer[65536];
  gzFile in = gzopen(path.c_str(), "rb");
  if (in == nullptr) return out;
  for (int n = gzread(in, buffer, sizeof buffer); n > 0; n = gzread(in, buffer, sizeof buffer))
    out.append(buffer, static_cast<std::size_t>(n));
  gzclose(in);
  return out;
}

std::string bgpdump(const std::string& path) {
  std::string out;
  char buffer[65536];
  FILE* pipe = ::popen(("bgpdump -m '" + path + "' 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return out;
  for (std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe); n > 0;
       n = std::fread(buffer, 1, sizeof buffer, pipe))
    out.append(buffer, n);
  ::pclose(pipe);
  return out;
}

bool have_bgpdump() { return std::system("command -v bgpdump >/dev/null 2>&1") == 0; }

std::string communities(const lapwing::PathView& path) {
  std::string out;
  const auto value = path.find(lapwing::attribute::kCommunities);
  for (std::size_t i = 0; value && i + 4 <= value->size(); i += 4) {
    const std::uint32_t c = lapwing::read_u32(value->data() + i);
    if (!out.empty()) out += ' ';
    if (c == 0xffffff01)
      out += "no-export";
    else if (c == 0xffffff02)
      out += "no-advertise";
    else if (c == 0xffffff03)
      out += "local-AS";
    else
      out += std::to_string(c >> 16) + ':' + std::to_string(c & 0xffff);
  }
  return out;
}

std::string aggregator(const lapwing::PathView& path) {
  const auto value = path.find(lapwing::attribute::kAggregator);
  if (!value) return "";
  IpAddress a;
  std::copy_n(value->data() + 4, 4, a.bytes.begin());
  return std::to_string(lapwing::read_u32(value->data())) + ' ' + lapwing::format_address(a);
}

/// "path|origin|next hop|local pref|med|communities|atomic|aggregator|".
std::string render(const lapwing::PathView& path) {
  constexpr const char* kOrigins[] = {"IGP", "EGP", "INCOMPLETE"};
  const auto hop = path.next_hop();
  return lapwing::format_as_path(path.as_path()) + '|' + kOrigins[path.origin().value_or(2) % 3] +
         '|' + (hop ? lapwing::format_address(*hop) : "") + '|' +
         std::to_string(path.local_pref().value_or(0)) + '|' +
         std::to_string(path.multi_exit_disc().value_or(0)) + '|' + communities(path) + '|' +
         (path.atomic_aggregate() ? "AG" : "NAG") + '|' + aggregator(path) + '|';
}

/// One line for each route: "time|A or W|peer|AS|prefix|[path id|]…".
struct Rendered {
  Strings lines;
  lapwing::collector::MrtStatistics statistics;
};

Rendered render_file(const std::string& path) {
  Rendered result;
  std::map<std::uint32_t, bgp::PeerDetail> peers;
  lapwing::collector::MrtSource source([&](bgp::RecordBatch& batch) {
    for (const bgp::Record& r : batch.records) {
      if (r.kind == bgp::RecordKind::kPeerDeclare) peers[r.peer] = batch.peer_details[r.detail];
      if (r.kind != bgp::RecordKind::kUpdate) continue;
      const bgp::PeerDetail& peer = peers.at(r.peer);
      const std::string time = std::to_string(lapwing::unix_micros(r.time) / 1'000'000);
      const std::string who =
          '|' + lapwing::format_address(peer.address) + '|' + std::to_string(peer.as) + '|';
      const auto nlri = [](const bgp::NlriKey& key) {
        const lapwing::Nlri n = bgp::to_nlri(key);
        return lapwing::format_prefix(n.prefix) +
               (n.has_path_id ? '|' + std::to_string(n.path_id) : std::string());
      };
      for (const auto& key : batch.withdrawn(r))
        result.lines.push_back(time + "|W" + who + nlri(key));
      if (r.announced == 0) continue;
      const std::string rest = '|' + render(lapwing::PathView(batch.attributes(r)));
      for (const auto& key : batch.announced(r))
        result.lines.push_back(time + "|A" + who + nlri(key) + rest);
    }
  });
  source.read_files({path});
  source.finish();
  result.statistics = source.statistics();
  return result;
}

/// An address or prefix of bgpdump as we write it: RFC 5952, host bits cleared, "" for its
/// 255.255.255.255 ("none").
std::string canonical(const std::string& text) {
  if (text == "255.255.255.255") return "";
  if (const auto a = lapwing::parse_address(text)) return lapwing::format_address(*a);
  if (const auto p = lapwing::parse_prefix(text, true)) return lapwing::format_prefix(*p);
  return text;
}

/// Lines of `bgpdump -m` in our form: no type, no fractions of seconds, B as A, no states.
Strings normalize(const std::string& text) {
  Strings lines;
  for (const std::string& line : split(text, '\n')) {
    Strings fields = split(line, '|');
    if (fields.size() < 6 || fields[2] == "STATE") continue;
    const bool path_id = fields[0].ends_with("_AP");
    const std::size_t next_hop = path_id ? 9 : 8;
    fields[1] = fields[1].substr(0, fields[1].find('.'));
    if (fields[2] == "B") fields[2] = "A";
    fields[3] = canonical(fields[3]);
    fields[5] = canonical(fields[5]);
    if (next_hop < fields.size()) fields[next_hop] = canonical(fields[next_hop]);
    std::string out = fields[1];
    for (std::size_t i = 2; i < fields.size(); ++i) out += '|' + fields[i];
    if (line.ends_with('|')) out += '|';
    lines.push_back(std::move(out));
  }
  return lines;
}

struct Comparison {
  std::size_t ours = 0;    // lines that only we have
  std::size_t theirs = 0;  // lines that only bgpdump has
  std::string sample;
};

Comparison compare(Strings ours, Strings theirs) {
  std::sort(ours.begin(), ours.end());
  std::sort(theirs.begin(), theirs.end());
  Comparison result;
  Strings only;
  std::set_difference(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                      std::back_inserter(only));
  result.ours = only.size();
  for (std::size_t i = 0; i < std::min<std::size_t>(only.size(), 5); ++i)
    result.sample += "\n  + " + only[i];
  only.clear();
  std::set_difference(theirs.begin(), theirs.end(), ours.begin(), ours.end(),
                      std::back_inserter(only));
  result.theirs = only.size();
  for (std::size_t i = 0; i < std::min<std::size_t>(only.size(), 5); ++i)
    result.sample += "\n  - " + only[i];
  return result;
}

struct Difference {
  std::string_view file;
  std::size_t ours;
  std::size_t theirs;
  std::string_view reason;
};

constexpr Difference kDifferences[] = {
    {"bgpdump.bview.20020722.2337.gz", 8, 8, "AGGREGATOR with AS 0 is discarded (RFC 7607 2)"},
    {"jinx.rib.20140501.0000.bz2", 5, 5, "AGGREGATOR with AS 0 is discarded (RFC 7607 2)"},
    {"bgpdump.updates.nlri_mask_trailing_bits.gz", 0, 1,
     "the NLRI field ends within a prefix: the message is not used (RFC 7606 5.3)"},
    {"mrtparse.openbgpd_rib_table", 1, 1,
     "AGGREGATOR of 8 octets among two-octet ASNs is discarded (RFC 7606 7.7)"},
    {"mrtparse.bird_bgp", 14, 24, "path identifiers without an ADD-PATH subtype (RFC 7911 3)"},
    {"mrtparse.bird6_bgp", 14, 32, "path identifiers without an ADD-PATH subtype (RFC 7911 3)"},
    {"mrtparse.openbgpd_bgp", 6, 0, "bgpdump reads no VPN routes (RFC 4364)"},
    {"mrtparse.openbgpd_rib_table-mp", 31, 0, "bgpdump reads no BGP4MP_ENTRY (RFC 6396 5)"},
    {"mrtparse.openbgpd_rib_table-v2", 2, 0, "bgpdump reads no VPN routes (RFC 4364)"},
    {"mrtparse.quagga_bgp", 16, 0, "bgpdump reads no VPN routes (RFC 4364)"},
};

Difference expected_difference(std::string_view file) {
  for (const Difference& d : kDifferences)
    if (d.file == file) return d;
  return {file, 0, 0, "none"};
}

Strings file_names(const std::string& path) {
  Strings names;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

void check_equal(const std::string& name, const Rendered& ours, const std::string& theirs) {
  const Difference expected = expected_difference(name);
  const Comparison c = compare(ours.lines, normalize(theirs));
  INFO(name, ", expected: ", expected.reason, c.sample);
  CHECK(c.ours == expected.ours);
  CHECK(c.theirs == expected.theirs);
}

}  // namespace

TEST_CASE("files: all routes that bgpdump prints, field by field, and no others") {
  if (folder().empty() || !have_bgpdump()) {
    MESSAGE("skipped: LAPWING_SHARED_DATA or bgpdump is absent");
    return;
  }
  for (const std::string& name : file_names(folder() + "/mrt")) {
    const std::string path = folder() + "/mrt/" + name;
    check_equal(name, render_file(path), bgpdump(path));
  }
}

TEST_CASE("files: what bgpdump's own tests expect") {
  if (folder().empty()) {
    MESSAGE("skipped: LAPWING_SHARED_DATA is absent");
    return;
  }
  std::size_t files = 0;
  for (const std::string& expected : file_names(folder() + "/mrt-expected")) {
    const std::string name = expected.substr(0, expected.rfind(".bgp.gz"));
    const std::string theirs = gunzip(folder() + "/mrt-expected/" + expected);
    REQUIRE(!theirs.empty());
    check_equal(name, render_file(folder() + "/mrt/" + name), theirs);
    ++files;
  }
  CHECK(files >= 10);
}

TEST_CASE("files: what is in them is counted, and only what is known to be wrong is malformed") {
  if (folder().empty()) {
    MESSAGE("skipped: LAPWING_SHARED_DATA is absent");
    return;
  }
  const std::string mrt = folder() + "/mrt/";
  const auto rib = render_file(mrt + "jinx.rib.20140501.0000.bz2").statistics;
  CHECK(rib.prefixes == 493'868);
  CHECK(rib.table_entries == 499'651);
  CHECK(rib.warning_count == 0);
  const auto updates = render_file(mrt + "rrc00.updates.20190101.0000.gz").statistics;
  CHECK(updates.updates == 54'107);
  CHECK(updates.announcements == 159'948);
  CHECK(updates.withdrawals == 2'626);
  CHECK(updates.malformed == 0);
  const auto cut = render_file(mrt + "route-views6.rib6.20151101.0600.truncated.bz2").statistics;
  CHECK(cut.prefixes == 6'870);
  CHECK(cut.table_entries == 149'578);
  REQUIRE(cut.warning_count == 2);
  CHECK(cut.warnings[0].offset == 12'132'997);
  CHECK(cut.warnings[1].reason.find("ends within a record") != std::string::npos);
  const auto states = render_file(mrt + "rrc15.updates.20100227.1600.gz").statistics;
  CHECK(states.announcements == 52'468);
  CHECK(states.state_changes == 20);
  const auto old = render_file(mrt + "mrtparse.openbgpd_rib_table-mp").statistics;
  CHECK(old.skipped.empty());
  CHECK(old.malformed == 0);
}

TEST_CASE("files: two runs give the same records") {
  if (folder().empty()) {
    MESSAGE("skipped: LAPWING_SHARED_DATA is absent");
    return;
  }
  const std::string path = folder() + "/mrt/rrc15.updates.20100227.1600.gz";
  CHECK(render_file(path).lines == render_file(path).lines);
}
