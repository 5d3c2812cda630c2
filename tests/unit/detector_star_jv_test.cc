// AS131279 on 1 and 2 October 2017, row by row. Published are the times, the ASes and the prefixes;
// the minutes of the four outages, the neighbours and the full paths are chosen here.
#include <doctest/doctest.h>

#include "detectors/event_text.h"
#include "tests/unit/fake_host.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;

const Texts kAll{"175.45.176.0/24", "175.45.177.0/24", "175.45.178.0/24", "175.45.179.0/24"};
const Texts kThree{"175.45.176.0/24", "175.45.178.0/24", "175.45.179.0/24"};
constexpr std::string_view kOld = "3333 1103 4837 131279";
constexpr std::string_view kNew = "3333 1103 20485 131279";

struct Step {
  std::string_view time;
  Texts prefixes;
  std::string_view path;  // empty: withdrawn
};

std::vector<Step> story() {
  std::vector<Step> s{
      {"2017-10-01T09:07:51Z", kThree, kNew},
      {"2017-10-01T10:14:45Z", kThree, kOld},
  };
  for (const auto& [down, up] : {std::pair{"2017-10-01T10:47:00Z", "2017-10-01T10:49:30Z"},
                                 {"2017-10-01T11:20:00Z", "2017-10-01T11:23:00Z"},
                                 {"2017-10-01T11:40:00Z", "2017-10-01T11:43:00Z"},
                                 {"2017-10-01T12:05:00Z", "2017-10-01T12:08:00Z"}}) {
    s.push_back({down, kAll, ""});
    s.push_back({up, kAll, kOld});
  }
  s.push_back({"2017-10-01T12:21:55Z", kThree, kNew});
  s.push_back({"2017-10-02T07:56:39Z", {"175.45.176.0/24"}, kOld});
  s.push_back({"2017-10-02T09:10:29Z", {"175.45.179.0/24"}, kOld});
  return s;
}

void play(FakeHost& host, PeerId peer, const Step& step) {
  host.at(step.time);
  if (step.path.empty())
    host.withdraw(peer, step.prefixes);
  else
    host.announce(peer, step.prefixes, step.path);
}

/// Restarts before step `restart_at`; -1: never.
std::vector<Event> tell(std::string_view detector, int restart_at, FakeHost::Numbering numbering) {
  FakeHost host(detector, numbering);
  host.watched.prefixes = {prefix_of("175.45.176.0/22")};
  if (detector == "new-upstream") host.watched = {};
  const PeerId peer = host.add_peer("rrc03-x", 3333);
  host.at("2017-10-01T00:00:00Z");
  // Dormant since 2013: learnt long ago.
  host.table(peer, kAll, "3333 22351 131279");
  host.table(peer, kAll, kOld);
  const auto steps = story();
  for (int i = 0; i < static_cast<int>(steps.size()); ++i) {
    if (i == restart_at) host.restart();
    play(host, peer, steps[static_cast<std::size_t>(i)]);
  }
  host.at("2017-10-03T00:00:00Z");
  host.detector().finish();
  CHECK(host.duplicate_events == 0);
  return {host.events.begin(), host.events.end()};
}

}  // namespace

TEST_CASE("Star JV: each step is reported in the second in which it happens") {
  FakeHost host("new-upstream");
  const PeerId peer = host.add_peer("rrc03-x", 3333);
  host.at("2017-10-01T00:00:00Z");
  host.table(peer, kAll, "3333 22351 131279");
  host.table(peer, kAll, kOld);
  CHECK(host.events.empty());
  const auto steps = story();

  play(host, peer, steps[0]);
  CHECK(host.taken() == Texts{"new-upstream 131279 20485"});
  const Event raised = host.events.back();
  CHECK(raised.time == time_of("2017-10-01T09:07:51Z"));
  CHECK(raised.action == Action::kRaise);
  CHECK(raised.severity == Severity::kWarning);
  CHECK(prefix_texts(raised) == kThree);
  CHECK(raised.prefix_count == 3);
  CHECK(raised.origin_prefix_count == 4u);
  CHECK(raised.peers == Texts{"rrc03-x"});
  CHECK(raised.direct == false);
  REQUIRE(raised.known_upstreams->size() == 2);
  CHECK((*raised.known_upstreams)[0].as == 4837);
  CHECK((*raised.known_upstreams)[0].active);
  CHECK((*raised.known_upstreams)[0].last_seen == raised.time);
  CHECK((*raised.known_upstreams)[1].as == 22351);
  CHECK_FALSE((*raised.known_upstreams)[1].active);
  REQUIRE(raised.evidence.size() == 3);
  CHECK(raised.evidence[0].old_path == std::string(kOld));
  CHECK(raised.evidence[0].new_path == std::string(kNew));
  CHECK(raised.summary ==
        "AS131279 has a new upstream AS20485 for 175.45.176.0/24, 175.45.178.0/24 and "
        "175.45.179.0/24 (3 of 4 prefixes), seen by rrc03-x");

  play(host, peer, steps[1]);
  // That three of four left 4837 is told too, after the quiet minute of what is no incident.
  CHECK(host.taken() == Texts{"upstream-share 131279 4837", "upstream-gone 131279 20485",
                              "single-homed 131279 4837"});
  const Event gone = host.events[host.events.size() - 2];
  CHECK(gone.time == time_of("2017-10-01T10:14:45Z"));
  CHECK(field<std::int64_t>(gone, "duration_seconds") == 4014);
  CHECK(gone.summary.find("after 1 h 06 min 54 s") != std::string::npos);
  CHECK(prefix_texts(gone) == kThree);
  CHECK(gone.incident == raised.incident);
  CHECK(host.events.back().incident == raised.incident);

  host.after(std::chrono::minutes(2));
  CHECK(host.taken() == Texts{"upstream-share 131279 4837"});
  for (std::size_t i = 2; i < 10; ++i) {
    play(host, peer, steps[i]);
    const bool down = steps[i].path.empty();
    CHECK(host.taken() ==
          Texts{down ? "upstream-gone 131279 4837" : "upstream-returned 131279 4837"});
  }

  play(host, peer, steps[10]);
  CHECK(host.taken() == Texts{"upstream-returned 131279 20485", "single-homed 131279 20485 clear"});
  const Event back = host.events[host.events.size() - 2];
  CHECK(back.time == time_of("2017-10-01T12:21:55Z"));
  CHECK(back.incident == raised.incident);
  CHECK(back.severity == Severity::kWarning);
  CHECK(field<std::int64_t>(back, "times") == 2);
  CHECK(field<std::int64_t>(back, "gap_seconds") == 7630);

  host.after(std::chrono::hours(1));
  host.taken();
  play(host, peer, steps[11]);
  host.after(std::chrono::seconds(1));
  CHECK(host.taken() == Texts{"upstream-share 131279 20485"});
  Event share = host.events.back();
  CHECK(share.time == time_of("2017-10-02T07:56:39Z"));
  CHECK(field<std::int64_t>(share, "old_prefix_count") == 3);
  CHECK(share.prefix_count == 2);
  CHECK(field<std::string>(share, "change") == "shrank");
  CHECK(field<Texts>(share, "removed") == Texts{"175.45.176.0/24"});
  CHECK(share.severity == Severity::kNotice);
  CHECK(share.incident == raised.incident);

  play(host, peer, steps[12]);
  host.after(std::chrono::seconds(1));
  // 4837 is no incident: its share of 07:56:39 came after the quiet minute.
  CHECK(host.taken() == Texts{"upstream-share 131279 4837", "upstream-share 131279 20485"});
  share = host.events.back();
  CHECK(share.time == time_of("2017-10-02T09:10:29Z"));
  CHECK(field<std::int64_t>(share, "old_prefix_count") == 2);
  CHECK(prefix_texts(share) == Texts{"175.45.178.0/24"});
}

TEST_CASE("Star JV: three UPDATEs in one second are a new upstream and one share") {
  FakeHost host("new-upstream");
  const PeerId peer = host.add_peer("rrc03-x", 3333);
  host.at("2017-10-01T00:00:00Z");
  host.table(peer, kAll, kOld);
  host.at("2017-10-01T09:07:51Z");
  for (const auto& p : kThree) host.announce(peer, {p}, kNew);
  CHECK(host.taken() == Texts{"new-upstream 131279 20485"});
  CHECK(prefix_texts(host.events[0]) == Texts{"175.45.176.0/24"});
  host.after(std::chrono::seconds(1));
  CHECK(host.taken() == Texts{"upstream-share 131279 20485"});
  CHECK(field<std::int64_t>(host.events[1], "old_prefix_count") == 1);
  CHECK(host.events[1].prefix_count == 3);
}

TEST_CASE("Star JV: the same input gives the same events, whatever numbers ids have") {
  for (const std::string_view detector : {"new-upstream", "path-change"}) {
    CAPTURE(detector);
    const auto events = tell(detector, -1, FakeHost::Numbering::kDenseReused);
    CHECK(events.size() >= 12);
    CHECK(events == tell(detector, -1, FakeHost::Numbering::kDenseReused));
    CHECK(events == tell(detector, -1, FakeHost::Numbering::kSparse));
  }
}

TEST_CASE("Star JV: a restart before any step changes no event of new-upstream") {
  const auto whole = tell("new-upstream", -1, FakeHost::Numbering::kDenseReused);
  for (int step = 0; step < 13; ++step) {
    CAPTURE(step);
    auto parted = tell("new-upstream", step, FakeHost::Numbering::kSparse);
    REQUIRE(parted.size() == whole.size());
    for (std::size_t i = 0; i < whole.size(); ++i) {
      CAPTURE(i);
      CHECK(parted[i].id == whole[i].id);
      CHECK(parted[i].type == whole[i].type);
      CHECK(parted[i].time == whole[i].time);
      CHECK(parted[i].prefixes == whole[i].prefixes);
      CHECK(parted[i].incident == whole[i].incident);
    }
  }
}

TEST_CASE("Star JV: a second vantage and path changes beside point to the same incident") {
  FakeHost upstreams("new-upstream"), paths("path-change");
  for (FakeHost* host : {&upstreams, &paths}) {
    host->watched.origins = {131279};
    const PeerId a = host->add_peer("rrc03-x", 3333), b = host->add_peer("rrc00-y", 25091);
    host->at("2017-10-01T00:00:00Z");
    host->table(a, kAll, kOld);
    host->table(b, kAll, "25091 4837 131279");
    host->at("2017-10-01T09:07:51Z");
    host->announce(a, kThree, kNew);
    host->at("2017-10-01T09:07:52Z");
    host->announce(b, kThree, "25091 20485 131279");
    host->at("2017-10-01T09:10:00Z");
  }
  // The origin is watched: 4837 lost the three prefixes only when the second neighbour moved too.
  CHECK(upstreams.taken() == Texts{"new-upstream 131279 20485", "upstream-share 131279 4837"});
  CHECK(paths.taken() == Texts{"path-change 131279 20485"});
  const Event& e = paths.events[0];
  CHECK(field<std::string>(e, "class") == "upstream");
  CHECK(field<std::int64_t>(e, "as_left") == 4837);
  CHECK(field<std::int64_t>(e, "as_came") == 20485);
  CHECK(field<std::int64_t>(e, "count") == 6);
  CHECK(e.peers == Texts{"rrc00-y", "rrc03-x"});
  CHECK(field<std::string>(e, "explained_by") == format_event_id(upstreams.events[0].incident));
}

}  // namespace lapwing::test
