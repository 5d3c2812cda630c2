// Files read side by side: the order of their records, and which collector's neighbour one is of.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "bgp/mrt_encode.h"
#include "mrt_builder.h"

using namespace mrt_test;

namespace merge_test {

namespace {

constexpr std::string_view kOne = "198.51.100.1", kTwo = "198.51.100.2";
constexpr std::string_view kOneV6 = "2001:db8::a", kTwoV6 = "2001:db8::b";

Bytes announce(std::uint32_t seconds, const Peer& peer, std::string_view prefix) {
  return bgp4mp(seconds, 4, peer, update({}, attributes({peer.as}), {{prefix}}));
}

/// A table of one neighbour with 203.0.113.0/24.
Bytes table(std::uint32_t seconds, const Peer& peer, std::string_view collector) {
  return peer_index(seconds, {peer}, collector) +
         rib(seconds, 2, "203.0.113.0/24", {{0, attributes({peer.as})}});
}

/// Who announced what: "name +prefix" for each record.
std::string said(const Replay& r) {
  std::map<std::string, std::string> names;
  std::string out;
  for (const std::string& line : r.lines) {
    const std::size_t end = line.find(' ', 4);
    std::string& name = names[line.substr(4, end - 4)];
    if (line.compare(end, 9, " declare ") == 0)
      name = line.substr(end + 9, line.find(' ', end + 9) - end - 9);
    else if (line.find(" +") != std::string::npos)
      out += name + line.substr(end, line.find(" via ") - end) + '\n';
  }
  return out;
}

std::string said(const std::vector<Bytes>& files) { return said(replay(files, {.merge = true})); }

Bytes mark(std::uint32_t seconds, std::string_view collector, mrt::Mark::Kind kind,
           std::string_view name = {}, std::string_view neighbor = "192.0.2.1") {
  mrt::Mark out;
  out.kind = kind;
  out.text = name;
  if (kind == mrt::Mark::Kind::kPeer)
    out.peers = {{ip(neighbor), {}, 64501}, {ip(collector), ip(collector), 64500}};
  Bytes octets;
  mrt::append_mark(out, at(seconds), ip(collector), octets);
  return octets;
}

}  // namespace

TEST_CASE(
    "merge: records of several files come in order of time; of equal times, the first file's") {
  const Peer a{"192.0.2.1", 64501}, b{"192.0.2.2", 64502};
  const std::vector<Bytes> files{
      announce(100, a, "198.51.100.0/24") + announce(300, a, "203.0.113.0/24"),
      announce(100, b, "198.51.100.0/24") + announce(200, b, "203.0.113.0/24")};
  const Replay merged = replay(files, {.merge = true});
  CHECK(text(merged.lines) ==
        text({"100 p0 declare 192.0.2.1 midway", "100 p0 up", "100 p0 +198.51.100.0/24 via 64501",
              "100 p1 declare 192.0.2.2 midway", "100 p1 up", "100 p1 +198.51.100.0/24 via 64502",
              "200 p1 +203.0.113.0/24 via 64502", "300 p0 +203.0.113.0/24 via 64501"}));
  CHECK(merged.statistics.files == 2);
  const Replay in_order = replay(files);
  CHECK(in_order.lines.back() == "200 p1 +203.0.113.0/24 via 64502");
  lapwing::collector::MrtSource missing([](bgp::RecordBatch&) {}, {.merge = true});
  CHECK_FALSE(missing.read_files({"/nonexistent/a", "/nonexistent/b"}));
  CHECK(missing.statistics().warning_count == 2);
}

TEST_CASE("merge: the table dumps of two collectors, read side by side, end each by itself") {
  const Bytes one = peer_index(100, {{"192.0.2.1", 64501}}) +
                    rib(100, 2, "198.51.100.0/24", {{0, attributes({64501})}}) +
                    rib(120, 2, "203.0.113.0/24", {{0, attributes({64501})}});
  const Bytes two = peer_index(110, {{"192.0.2.2", 64502}}) +
                    rib(110, 2, "198.51.100.0/24", {{0, attributes({64502})}}) +
                    bgp4mp(115, 4, {"192.0.2.2", 64502}, end_of_rib());
  const Replay r = replay({one, two}, {.merge = true});
  CHECK(text(r.lines) ==
        text({"100 p0 declare 192.0.2.1", "100 p0 up", "100 p0 +198.51.100.0/24 via 64501",
              "110 p1 declare 192.0.2.2", "110 p1 up", "110 p1 +198.51.100.0/24 via 64502",
              "110 p1 end ipv4-unicast", "115 p1 declare 192.0.2.2", "115 p1 end ipv4-unicast",
              "120 p0 +203.0.113.0/24 via 64501", "120 p0 end ipv4-unicast"}));
}

TEST_CASE("merge: one router at two collectors is two neighbours, in any order of the files") {
  const Peer a{"192.0.2.1", 64501, 64500, kOne}, b{"192.0.2.1", 64501, 64500, kTwo};
  const Bytes table_one = table(100, a, kOne), table_two = table(101, b, kTwo);
  const Bytes updates_one = announce(150, a, "10.1.0.0/16") + announce(170, a, "10.3.0.0/16");
  const Bytes updates_two = announce(160, b, "10.2.0.0/16") + state_change(180, b, 6, 1);
  const std::string wanted =
      "192.0.2.1 +203.0.113.0/24\n192.0.2.1@198.51.100.2 +203.0.113.0/24\n"
      "192.0.2.1 +10.1.0.0/16\n192.0.2.1@198.51.100.2 +10.2.0.0/16\n192.0.2.1 +10.3.0.0/16\n";
  CHECK(said({table_one, table_two, updates_one, updates_two}) == wanted);
  CHECK(said({updates_two, updates_one, table_two, table_one}) == wanted);
  CHECK(said({table_one + updates_one, table_two + updates_two}) == wanted);
  const Replay r = replay({table_one, table_two, updates_one, updates_two}, {.merge = true});
  CHECK(r.lines.back().starts_with("180 p1 down"));
  CHECK(r.statistics.warning_count == 0);
  for (const bgp::PeerDetail& peer : r.peers) CHECK(peer.address == ip("192.0.2.1"));
  // One after the other they are one collector's, as ever: it may have got another address.
  CHECK(said(replay({updates_one, updates_two})) ==
        "192.0.2.1 +10.1.0.0/16\n192.0.2.1 +10.3.0.0/16\n192.0.2.1 +10.2.0.0/16\n");
}

TEST_CASE("merge: collectors are told by their addresses where there are no tables, or only one") {
  const Peer a{"192.0.2.1", 64501, 64500, kOne}, b{"192.0.2.1", 64501, 64500, kTwo};
  const Bytes updates_one = announce(151, a, "10.1.0.0/16");
  const Bytes updates_two = announce(150, b, "10.2.0.0/16");
  CHECK(said({updates_one, updates_two}) ==
        "192.0.2.1 +10.2.0.0/16\n192.0.2.1@198.51.100.1 +10.1.0.0/16\n");
  CHECK(said({updates_one, updates_two, table(100, a, kOne)}) ==
        "192.0.2.1 +203.0.113.0/24\n192.0.2.1@198.51.100.2 +10.2.0.0/16\n192.0.2.1 +10.1.0.0/16\n");
  // The table comes when both have spoken.
  CHECK(said({updates_one, updates_two, table(200, a, kOne)}) ==
        "192.0.2.1 +10.2.0.0/16\n192.0.2.1@198.51.100.1 +10.1.0.0/16\n"
        "192.0.2.1@198.51.100.1 +203.0.113.0/24\n");
}

TEST_CASE("merge: a collector whose ID is none of its addresses has one neighbour, not two") {
  const Peer v4{"192.0.2.1", 64501, 64500, "198.51.100.77"};
  const Peer v6{"2001:db8::1", 64501, 64500, "2001:db8::77"};
  for (const std::uint32_t when : {100u, 200u})
    for (const Peer& peer : {v4, v6}) {
      const Replay r =
          replay({table(when, peer, kOne), announce(150, peer, "10.1.0.0/16")}, {.merge = true});
      CHECK(r.sessions.size() == 1);
    }
  // The ID may be its IPv4 address, and a file may have IPv6 sessions only.
  const Peer other{"192.0.2.8", 64508, 64500, kOne};
  CHECK(replay({table(100, v6, kOne), announce(150, v6, "10.1.0.0/16"),
                announce(150, other, "10.8.0.0/16")},
               {.merge = true})
            .sessions.size() == 2);
  // A table of the old form names no collector.
  const Bytes set = attributes({64501}, false);
  for (const std::uint32_t when : {100u, 200u}) {
    const Replay r =
        replay({table_dump(when, "203.0.113.0", 24, v4, set), announce(150, v4, "10.1.0.0/16")}, {.merge = true});
    CHECK(r.statistics.table_entries == 1);
    CHECK(r.sessions.size() == 1);
  }
}

TEST_CASE("merge: IPv6 sessions are of the collector that the file's IPv4 sessions are of") {
  const Peer a{"2001:db8::1", 64501, 64500, kOneV6}, b{"2001:db8::1", 64501, 64500, kTwoV6};
  const Peer a4{"192.0.2.8", 64508, 64500, kOne}, b4{"192.0.2.9", 64509, 64500, kTwo};
  const Bytes updates_one = announce(150, a, "10.1.0.0/16") + announce(170, a4, "10.8.0.0/16");
  const Bytes updates_two = announce(140, b, "10.2.0.0/16") + announce(170, b4, "10.9.0.0/16");
  // The last file has IPv6 only: its address is known by then.
  const Replay r = replay({table(100, a, kOne), table(101, b, kTwo), updates_one, updates_two,
                           announce(180, b, "10.3.0.0/16")},
                          {.merge = true});
  CHECK(said(r) ==
        "2001:db8::1 +203.0.113.0/24\n2001:db8::1@198.51.100.2 +203.0.113.0/24\n"
        "2001:db8::1@198.51.100.2 +10.2.0.0/16\n2001:db8::1 +10.1.0.0/16\n"
        "192.0.2.8 +10.8.0.0/16\n192.0.2.9 +10.9.0.0/16\n"
        "2001:db8::1@198.51.100.2 +10.3.0.0/16\n");
  CHECK(r.statistics.warning_count == 0);
}

TEST_CASE("merge: records without the collector's address are of the file's collector") {
  const Peer a{"192.0.2.1", 64501, 64500, kOne}, b{"192.0.2.1", 64501, 64500, kTwo};
  const Peer zero{"192.0.2.1", 64501, 64500, "0.0.0.0"};
  const Replay r = replay({announce(150, a, "10.1.0.0/16") + announce(152, a, "10.3.0.0/16"),
                           state_change(149, zero, 1, 3) + announce(151, b, "10.2.0.0/16") +
                               state_change(160, zero, 6, 1)},
                          {.merge = true});
  CHECK(said(r) ==
        "192.0.2.1@198.51.100.1 +10.1.0.0/16\n192.0.2.1 +10.2.0.0/16\n"
        "192.0.2.1@198.51.100.1 +10.3.0.0/16\n");
  CHECK(r.lines.back().starts_with("160 p1 down"));
  // AS_TRANS is that neighbour's within one collector only.
  const Peer trans{"192.0.2.1", 23456, 64500, kTwo};
  CHECK(said({announce(150, a, "10.1.0.0/16"), announce(151, trans, "10.2.0.0/16")}) ==
        "192.0.2.1 +10.1.0.0/16\n192.0.2.1#23456 +10.2.0.0/16\n");
  // A file with nothing but zeros is of the one that there is.
  CHECK(said({announce(150, a, "10.1.0.0/16"), announce(151, zero, "10.2.0.0/16")}) ==
        "192.0.2.1 +10.1.0.0/16\n192.0.2.1 +10.2.0.0/16\n");
}

TEST_CASE("merge: a pipe is of the collector that its first record names") {
  const Peer a{"192.0.2.1", 64501, 64500, "198.51.100.71"};
  const Peer b{"192.0.2.1", 64501, 64500, "198.51.100.72"};
  const Bytes from_a = announce(150, a, "10.1.0.0/16"), from_b = announce(160, b, "10.2.0.0/16");
  const std::vector<std::pair<Bytes, Bytes>> pairs{
      {table(100, a, kOne) + from_a, table(101, b, kTwo) + from_b},
      {from_a, from_b},
      {from_a, from_b + table(161, b, kTwo)}};
  for (const auto& [content, piped] : pairs) {
    const TempFile file(content);
    const std::string pipe = file.path() + ".pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    std::thread writer([&pipe, &octets = piped] {
      std::ofstream out(pipe, std::ios::binary);
      out.write(reinterpret_cast<const char*>(octets.data()),
                static_cast<std::streamsize>(octets.size()));
    });
    std::set<std::string> names;
    lapwing::collector::MrtSource source(
        [&names](bgp::RecordBatch& batch) {
          for (const bgp::PeerDetail& peer : batch.peer_details) names.insert(peer.name);
        },
        {.merge = true});
    CHECK(source.read_files({file.path(), pipe}));
    source.finish();
    writer.join();
    std::remove(pipe.c_str());
    const bool has_table = piped.size() > from_b.size() && content.size() > from_a.size();
    CHECK(names == std::set<std::string>{"192.0.2.1", has_table ? "192.0.2.1@198.51.100.2"
                                                                : "192.0.2.1@198.51.100.72"});
    CHECK(source.statistics().warning_count == 0);
  }
}

TEST_CASE("merge: files of one collector without an ID are known by the addresses they share") {
  const Peer a{"192.0.2.1", 64501, 64500, "198.51.100.71"};
  const Peer b{"192.0.2.1", 64501, 64500, "198.51.100.72"};
  const Peer other{"192.0.2.8", 64508, 64500, "198.51.100.72"};
  CHECK(said({announce(150, a, "10.1.0.0/16"), announce(151, b, "10.2.0.0/16"),
              announce(152, other, "10.8.0.0/16") + announce(153, a, "10.3.0.0/16")}) ==
        "192.0.2.1 +10.1.0.0/16\n192.0.2.1 +10.2.0.0/16\n192.0.2.8 +10.8.0.0/16\n"
        "192.0.2.1 +10.3.0.0/16\n");
}

TEST_CASE("merge: a file is of one collector, whatever address another one has too") {
  const Peer a{"192.0.2.1", 64501, 64500, "10.0.0.1"};
  const Peer a4{"192.0.2.8", 64508, 64500, kOne}, b4{"192.0.2.9", 64509, 64500, kTwo};
  CHECK(said({table(100, a, kOne), table(101, a, kTwo),
              announce(150, a, "10.1.0.0/16") + announce(170, a4, "10.8.0.0/16"),
              announce(160, a, "10.2.0.0/16") + announce(171, b4, "10.9.0.0/16")}) ==
        "192.0.2.1 +203.0.113.0/24\n192.0.2.1@198.51.100.2 +203.0.113.0/24\n"
        "192.0.2.1 +10.1.0.0/16\n192.0.2.1@198.51.100.2 +10.2.0.0/16\n"
        "192.0.2.8 +10.8.0.0/16\n192.0.2.9 +10.9.0.0/16\n");
}

TEST_CASE("merge: where nothing tells the collector the first one is taken, with one warning") {
  const Peer a{"2001:db8::1", 64501, 64500, kOneV6}, b{"2001:db8::1", 64501, 64500, kTwoV6};
  const Peer c{"2001:db8::2", 64502, 64500, kOneV6};
  const Bytes index = peer_index(100, {a, c}, kOne);
  const Bytes one = index + rib(100, 2, "203.0.113.0/24", {{0, attributes({64501})}});
  const Replay r = replay({one, table(101, b, kTwo), announce(150, b, "10.2.0.0/16"),
                           announce(160, a, "10.1.0.0/16") + announce(161, a, "10.3.0.0/16")},
                          {.merge = true});
  CHECK(said(r) ==
        "2001:db8::1 +203.0.113.0/24\n2001:db8::1@198.51.100.2 +203.0.113.0/24\n"
        "2001:db8::1@198.51.100.2 +10.2.0.0/16\n"
        "2001:db8::1 +10.1.0.0/16\n2001:db8::1 +10.3.0.0/16\n");
  REQUIRE(r.statistics.warnings.size() == 1);
  CHECK(r.statistics.warnings[0].reason.starts_with(
      "is of collector 198.51.100.1 or 198.51.100.2: both have its neighbours"));
}

TEST_CASE("merge: what one neighbour told of a collector's address holds for the others") {
  const Peer only{"192.0.2.5", 64505, 64500, "198.51.100.77"};
  const Peer a{"192.0.2.1", 64501, 64500, "198.51.100.77"}, b{"192.0.2.1", 64501};
  const Bytes two =
      peer_index(101, {a, only}, kTwo) +
      rib(101, 2, "203.0.113.0/24", {{0, attributes({64501})}, {1, attributes({64505})}});
  const Bytes updates = announce(150, only, "10.5.0.0/16") + announce(151, a, "10.1.0.0/16");
  const Replay r = replay({table(100, b, kOne), two, updates}, {.merge = true});
  CHECK(said(r).ends_with("192.0.2.5 +10.5.0.0/16\n192.0.2.1@198.51.100.2 +10.1.0.0/16\n"));
  CHECK(r.statistics.warning_count == 0);
}

TEST_CASE(
    "merge: updates go to the table that lists most of their neighbours, not to that of one") {
  const Peer x1{"192.0.2.11", 65001, 64500, "198.51.100.71"};
  const Peer x2{"192.0.2.11", 65001, 64500, "198.51.100.72"};
  const Peer y{"192.0.2.12", 65002, 64500, "198.51.100.72"};
  const Bytes table_one = table(100, x1, kOne), table_two = table(100, y, kTwo);
  const Bytes both_two =
      peer_index(100, {x2, y}, kTwo) + rib(100, 2, "203.0.113.0/24", {{1, attributes({65002})}});
  // The router comes to the second collector after its table.
  const Bytes two = announce(110, x2, "10.2.0.0/16") + announce(120, y, "10.3.0.0/16");
  const Bytes one = announce(130, x1, "10.1.0.0/16");
  const std::string tables = "192.0.2.11 +203.0.113.0/24\n192.0.2.12 +203.0.113.0/24\n";
  const std::string late =
      "192.0.2.11@198.51.100.2 +10.2.0.0/16\n192.0.2.12 +10.3.0.0/16\n"
      "192.0.2.11 +10.1.0.0/16\n";
  CHECK(said({table_one, table_two, two, one}) == tables + late);
  CHECK(said({one, two, table_one, table_two}) == tables + late);
  CHECK(said({table_one, both_two, two, one}) == tables + late);
  CHECK(said({table_one, both_two, two}) ==
        tables + "192.0.2.11@198.51.100.2 +10.2.0.0/16\n192.0.2.12 +10.3.0.0/16\n");
  // Of a collector without a table: less than half of the neighbours are in that of another.
  const Peer z{"192.0.2.13", 65003, 64500, "198.51.100.72"};
  CHECK(said({table_one, two + announce(140, z, "10.4.0.0/16")}) ==
        "192.0.2.11 +203.0.113.0/24\n192.0.2.11@198.51.100.72 +10.2.0.0/16\n"
        "192.0.2.12 +10.3.0.0/16\n192.0.2.13 +10.4.0.0/16\n");
}

TEST_CASE("merge: the order of naming means nothing") {
  const Peer x{"192.0.2.11", 65001, 64500, kOne}, other{"192.0.2.11", 65001, 64500, kTwo};
  const Peer v6{"2001:db8::13", 65003, 64500, kOneV6};
  const Bytes both = announce(110, v6, "10.6.0.0/16") + announce(111, x, "10.1.0.0/16");
  std::vector<Bytes> files{both, announce(120, v6, "10.7.0.0/16"), table(100, other, kTwo),
                           announce(130, other, "10.2.0.0/16")};
  const std::string first = said(files);
  CHECK(first ==
        "192.0.2.11 +203.0.113.0/24\n2001:db8::13 +10.6.0.0/16\n"
        "192.0.2.11@198.51.100.1 +10.1.0.0/16\n2001:db8::13 +10.7.0.0/16\n"
        "192.0.2.11 +10.2.0.0/16\n");
  std::vector<std::size_t> order{0, 1, 2, 3};
  do {
    std::vector<Bytes> named;
    for (const std::size_t i : order) named.push_back(files[i]);
    CHECK(said(named) == first);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("merge: what is of one time comes by collector, whichever is named first") {
  const Peer one{"192.0.2.1", 64501};
  const Bytes low = table(100, one, "192.0.2.200") + announce(101, one, "198.51.100.0/24");
  const Bytes high = table(100, one, "192.0.2.201") + announce(101, one, "192.0.2.0/24");
  CHECK(said({low, high}) == said({high, low}));
  CHECK(said({high, low}).find("192.0.2.1 +198.51.100.0/24\n192.0.2.1@192.0.2.201 +192.0.2.0/24") !=
        std::string::npos);
}

TEST_CASE("merge: configured names, and the AS behind them, are told apart too") {
  const auto name_of = [](const lapwing::IpAddress&) { return std::optional<std::string>("edge"); };
  const Peer a{"192.0.2.1", 64501, 64500, kOne}, b{"192.0.2.1", 64501, 64500, kTwo};
  const Peer c{"192.0.2.1", 64502, 64500, kOne}, d{"192.0.2.1", 64502, 64500, kTwo};
  std::vector<Bytes> files;
  for (const Peer& peer : {a, b, c, d}) files.push_back(announce(100, peer, "10.1.0.0/16"));
  CHECK(said(replay(files, {.name_of = name_of, .merge = true})) ==
        "edge +10.1.0.0/16\nedge#64502 +10.1.0.0/16\n"
        "edge@198.51.100.2 +10.1.0.0/16\nedge#64502@198.51.100.2 +10.1.0.0/16\n");
}

TEST_CASE("merge: two Lapwings that give one name are two, a start of one is none of the other") {
  using Kind = mrt::Mark::Kind;
  // One router; each has its session from another address than its router id.
  const Peer a{"192.0.2.1", 64501, 64500, "198.51.100.71"};
  const Peer b{"192.0.2.1", 64501, 64500, "198.51.100.72"};
  const Bytes one = mark(90, kOne, Kind::kStart) + mark(90, kOne, Kind::kPeer, "edge1") +
                    announce(100, a, "10.1.0.0/16") + announce(120, a, "10.3.0.0/16");
  const Bytes two = mark(110, kTwo, Kind::kPeer, "edge1") + announce(110, b, "10.2.0.0/16") +
                    mark(115, kTwo, Kind::kStart) + mark(115, kTwo, Kind::kPeer, "edge1");
  const Replay r = replay({one, two}, {.merge = true});
  CHECK(text(r.lines) ==
        text({"90 p0 declare edge1", "100 p0 up", "100 p0 +10.1.0.0/16 via 64501",
              "110 p1 declare edge1@198.51.100.2 midway", "110 p1 up",
              "110 p1 +10.2.0.0/16 via 64501", "110 p1 down Lapwing was not running",
              "120 p0 +10.3.0.0/16 via 64501"}));
  // Within one, a neighbour is who has its name, whatever its address.
  const Bytes moved = mark(130, kOne, Kind::kPeer, "edge1", "192.0.2.7");
  CHECK(replay({one, moved}, {.merge = true}).lines.back() == "130 p1 declare edge1");
}

}  // namespace merge_test
