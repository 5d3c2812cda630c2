// The vectors of others, played into live sessions: what becomes of the route, and of the session.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "tests/rfc/live_session.h"
#include "tests/rfc/vector_rows.h"

namespace json = boost::json;
using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;
using namespace lapwing::bgp::testing;
using What = Outcome::What;

namespace {

std::optional<Family> family_of(std::string_view name) {
  if (name == "vpnv4" || name == "ipv4-mpls-vpn") return Family{kAfiIpv4, kSafiVpn};
  if (name == "vpnv6" || name == "ipv6-mpls-vpn") return Family{kAfiIpv6, kSafiVpn};
  if (name == "ipv4-nlri-mpls") return Family{kAfiIpv4, kSafiLabeled};
  if (name == "ipv6-nlri-mpls") return Family{kAfiIpv6, kSafiLabeled};
  return parse_family(name);
}

Asn asn_of(const Row& context, std::string_view key, Asn otherwise) {
  const json::value* value = context.if_contains(key);
  if (value == nullptr) return otherwise;
  if (value->is_int64()) return static_cast<Asn>(value->as_int64());
  return value->is_string() ? static_cast<Asn>(std::stoul(std::string(value->as_string())))
                            : otherwise;
}

Terms terms_of(const Row& row) {
  Terms terms;
  const json::value* value = row.if_contains("context");
  if (value == nullptr || !value->as_object().contains("as4")) return terms;
  const Row& context = value->as_object();
  terms.four_octet_as = context.at("as4").as_bool();
  terms.extended_messages = context.at("ext_msg").as_bool();
  terms.local_as = asn_of(context, "local_as", asn_of(context, "our_as", kLocalAs));
  terms.peer_as = asn_of(context, "peer_as", asn_of(context, "sender_as", kPeerAs));
  terms.families.clear();
  for (const json::value& name : context.at("families").as_array())
    if (const auto family = family_of(name.as_string())) terms.families.push_back(*family);
  if (std::find(terms.families.begin(), terms.families.end(), kIpv4Unicast) ==
      terms.families.end())
    terms.families.push_back(kIpv4Unicast);
  const json::value* add_path = context.if_contains("addpath");
  if (add_path != nullptr && add_path->is_string()) terms.add_path = terms.families;
  return terms;
}

/// One session for each set of terms.
class Sessions {
 public:
  LiveSession& with(const Terms& terms) {
    for (auto& [own, session] : list_)
      if (own == terms) return *session;
    list_.emplace_back(terms, std::make_unique<LiveSession>(terms));
    return *list_.back().second;
  }
  std::size_t established() const {
    std::size_t sum = 0;
    for (const auto& entry : list_) sum += entry.second->sessions();
    return sum;
  }
  std::size_t count() const { return list_.size(); }

 private:
  std::vector<std::pair<Terms, std::unique_ptr<LiveSession>>> list_;
};

/// True when the outcome is right for what the row expects.
bool is_right(const Row& row, const Outcome& outcome) {
  const std::string expect = text_of(row, "expect");
  if (expect == "session-reset" || expect == "error") {
    if (outcome.what != What::kReset) return false;
    const json::value* pair = row.if_contains("notification");
    if (pair == nullptr || !pair->is_array()) return true;
    return outcome.notification == std::to_string(pair->at(0).as_int64()) + "/" +
                                       std::to_string(pair->at(1).as_int64());
  }
  if (outcome.what == What::kNothing) return true;
  if (row.contains("soft"))
    return outcome.what == What::kAccepted || outcome.what == What::kWithdrawn;
  return outcome.what == (expect == "treat-as-withdraw" ? What::kWithdrawn : What::kAccepted);
}

}  // namespace

TEST_CASE("live: every row of updates.jsonl ends as RFC 7606 says, and no other session ends") {
  const auto directory = vectors_directory();
  if (!directory) return;
  Sessions sessions;
  std::map<What, std::size_t> seen;
  std::size_t resets = 0;
  const std::size_t rows = for_each_row(*directory + "updates.jsonl", [&](const Row& row) {
    LiveSession& session = sessions.with(terms_of(row));
    const Outcome outcome = session.play(from_hex(text_of(row, "hex")));
    INFO(text_of(row, "id"), ": ", outcome.text(), ", expected ", text_of(row, "expect"));
    CHECK(is_right(row, outcome));
    ++seen[outcome.what];
    resets += outcome.what == What::kReset ? 1 : 0;
  });
  CHECK(rows == 159);
  CHECK(seen[What::kKept] == 0);
  CHECK(seen[What::kAccepted] >= 60);
  CHECK(seen[What::kWithdrawn] >= 66);
  CHECK(resets == 7);
  CHECK(sessions.established() <= sessions.count() + resets);
}

TEST_CASE("live: no row of the attribute matrix keeps the old route or ends the session") {
  const auto directory = vectors_directory();
  if (!directory) return;
  LiveSession session{Terms{}};
  std::vector<Bytes> messages;
  std::vector<std::string> ids;
  const auto flush = [&] {
    const std::vector<Outcome> outcomes = session.play_all(messages);
    REQUIRE(outcomes.size() == messages.size());
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      INFO(ids[i], ": ", outcomes[i].text());
      CHECK((outcomes[i].what == What::kAccepted || outcomes[i].what == What::kWithdrawn));
    }
    messages.clear();
    ids.clear();
  };
  const std::size_t rows =
      for_each_row(*directory + "attribute-matrix.jsonl.gz", [&](const Row& row) {
        messages.push_back(from_hex(text_of(row, "hex")));
        ids.push_back(text_of(row, "id"));
        if (messages.size() == 500) flush();
      });
  flush();
  CHECK(rows == 5264);
  CHECK(session.sessions() == 1);
}

TEST_CASE("live: AS_PATHs of as-path.jsonl are held as their text says, or withdrawn") {
  const auto directory = vectors_directory();
  if (!directory) return;
  Sessions sessions;
  std::size_t compared = 0;
  const std::size_t rows = for_each_row(*directory + "as-path.jsonl", [&](const Row& row) {
    LiveSession& session = sessions.with(terms_of(row));
    const std::string id = text_of(row, "id");
    const Outcome outcome = session.play(from_hex(text_of(row, "hex")));
    INFO(id, ": ", outcome.text(), ", expected ", text_of(row, "expect"));
    CHECK(is_right(row, outcome));
    if (outcome.what != What::kAccepted) return;
    const auto route = session.route();
    REQUIRE(route);
    // The row tells what is in AS4_PATH; RFC 6793 6 strips its confederation segments.
    const std::string wanted =
        id == "frr-aspath-attr45" ? "8466 3 52737 4096" : normal_path(text_of(row, "as_path"));
    CHECK(normal_path(format_as_path(PathView(*route).as_path())) == wanted);
    ++compared;
  });
  CHECK(rows == 52);
  CHECK(compared >= 29);
}

TEST_CASE("live: UPDATEs of ExaBGP, for families in and out of scope, never end the session") {
  const auto directory = vectors_directory();
  if (!directory) return;
  Sessions sessions;
  std::map<What, std::size_t> seen;
  for_each_row(*directory + "exabgp-updates.jsonl", [&](const Row& row) {
    if (row.at("type").as_int64() != 2) return;
    LiveSession& session = sessions.with(terms_of(row));
    const Outcome outcome = session.play(from_hex(text_of(row, "hex")));
    INFO(text_of(row, "id"), ": ", outcome.text());
    CHECK(outcome.what != What::kReset);
    CHECK(outcome.what != What::kKept);
    ++seen[outcome.what];
  });
  CHECK(seen[What::kAccepted] >= 140);
  CHECK(sessions.established() == sessions.count());
}

TEST_CASE("live: UPDATEs of routecore, holo and OpenDaylight never end the session") {
  const auto directory = vectors_directory();
  if (!directory) return;
  LiveSession wide{Terms{}};
  Terms old;
  old.four_octet_as = false;
  LiveSession narrow{old};
  Terms with_ids;
  with_ids.add_path = {kIpv4Unicast};
  LiveSession add_path{with_ids};
  std::size_t played = 0;
  for (const char* name : {"routecore.jsonl", "holo.jsonl", "opendaylight.jsonl"}) {
    for_each_row(*directory + name, [&](const Row& row) {
      const Bytes message = from_hex(text_of(row, "hex"));
      const json::value* single = row.if_contains("one_message");
      const bool whole = message.size() >= kHeaderSize + 4 && message[18] == 2 &&
                         message[16] * 256u + message[17] == message.size();
      if (!whole || (single != nullptr && !single->as_bool())) return;
      // What the row's own program expects: path identifiers, or a message that cannot be read.
      const bool ids = text_of(row, "asserts").find("add_addpath") != std::string::npos;
      const bool broken = text_of(row, "id") == "routecore-36-invalid_withdrawals";
      for (LiveSession* session : {&wide, &narrow}) {
        const Outcome outcome = (ids ? &add_path : session)->play(message);
        INFO(text_of(row, "id"), ": ", outcome.text());
        CHECK((outcome.what == What::kReset) == broken);
        CHECK(outcome.what != What::kKept);
      }
      ++played;
    });
  }
  CHECK(played >= 100);
}

TEST_CASE("live: OPENs of open-capabilities.jsonl are taken or refused with 2/0") {
  const auto directory = vectors_directory();
  if (!directory) return;
  SpeakerOptions options = quick_options();
  options.retry = milliseconds(0);
  options.retry_limit = milliseconds(0);
  Bench bench({neighbor_config()}, options);
  const std::size_t rows = for_each_row(*directory + "open-capabilities.jsonl", [&](const Row& row) {
    REQUIRE(bench.wait_state("Active"));
    Peer peer = bench.connect();
    const auto open = peer.receive();
    REQUIRE(open);
    peer.send(from_hex(text_of(row, "hex")));
    const auto answer = peer.receive();
    const std::string expect = text_of(row, "expect");
    INFO(text_of(row, "id"), ", expected ", expect);
    REQUIRE(answer);
    if (expect == "open-parses") {
      // What is read well may still be refused for its AS or identifier.
      const bool refused = answer->type == MessageType::kNotification;
      CHECK((!refused || (answer->body[0] == 2 && answer->body[1] != 0)));
      return;
    }
    REQUIRE(answer->type == MessageType::kNotification);
    if (expect == "open-error") CHECK((answer->body[0] == 2 && answer->body[1] == 0));
    if (expect == "notification") CHECK((answer->body[0] == 1 && answer->body[1] == 3));
  });
  CHECK(rows == 47);
}
