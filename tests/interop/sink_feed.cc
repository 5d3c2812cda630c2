// Puts events into a real journal (RocksDB) and runs real sinks on it, without a router: the source
// of the interop tests of the sinks.
//
// sink_feed --store DIR [--samples] [--count N [--padding OCTETS]] [--rate N] [--until-delivered]
//           --sink KIND KEY=VALUE…
//
// --samples: one event of each type and shape, with hostile values; --count N: N numbered ones.
// Each event is printed as JSON on standard output once it is durable ("event {…}"; of the numbered
// ones the id alone), and twice a second how each sink stands ("sink {…}"). Run again on the same store it derives the same events,
// which the journal knows, and delivers from the cursors. Ends with SIGTERM, or, where asked for, once
// all sinks have everything.
#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "rib/store.h"
#include "sinks/event_json.h"
#include "sinks/json_object.h"
#include "sinks/sink_set.h"

namespace lapwing {
namespace {

std::atomic<bool> ended{false};

struct SinkArguments {
  std::string kind;
  std::vector<std::string> settings;
};
struct Arguments {
  std::string store;
  bool samples = false;
  bool until_delivered = false;
  std::uint64_t count = 0;
  std::uint64_t padding = 0;
  std::uint64_t rate = 1000;  // commits a second, ten events each
  std::vector<SinkArguments> sinks;
};

[[noreturn]] void fail(const std::string& text) {
  fmt::print(stderr, "sink_feed: {}\n", text);
  std::exit(2);
}

Arguments read_arguments(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const auto value = [&] { return ++i < argc ? std::string(argv[i]) : (fail(name), ""); };
    if (name == "--store")
      out.store = value();
    else if (name == "--samples")
      out.samples = true;
    else if (name == "--until-delivered")
      out.until_delivered = true;
    else if (name == "--count")
      out.count = std::stoull(value());
    else if (name == "--padding")
      out.padding = std::stoull(value());
    else if (name == "--rate")
      out.rate = std::stoull(value());
    else if (name == "--sink")
      out.sinks.push_back({value(), {}});
    else if (name.find('=') != std::string::npos && !out.sinks.empty())
      out.sinks.back().settings.push_back(name);
    else
      fail("what is " + name + "?");
  }
  if (out.store.empty()) fail("--store is missing");
  return out;
}

/// "12" is an integer, "true" a boolean, "[a,b]" a list, anything else a text.
SettingValue to_setting(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos)
    return static_cast<std::int64_t>(std::stoll(text));
  if (!text.starts_with('[')) return text;
  std::vector<std::string> list;
  for (std::size_t at = 1; at < text.size();) {
    const std::size_t end = text.find_first_of(",]", at);
    list.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return list;
}

void add_sinks(sinks::SinkSet& set, const Arguments& arguments) {
  for (const SinkArguments& sink : arguments.sinks) {
    Settings settings;
    for (const std::string& text : sink.settings) {
      const std::size_t equals = text.find('=');
      settings.set(text.substr(0, equals), to_setting(text.substr(equals + 1)));
    }
    set.add(sink.kind, settings);
    for (const SettingError& error : settings.finish())
      fail(sink.kind + ": " + error.key + ": " + error.message);
  }
}

Event base(std::string type, std::uint64_t number) {
  Event e;
  for (unsigned i = 0; i < 8; ++i) e.id.bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  e.id.bytes[15] = static_cast<std::uint8_t>(type.size());
  e.incident = e.id;
  e.incident.bytes[14] = 0xab;
  e.type = std::move(type);
  e.time = from_unix_micros(1'506'848'871'000'001 + static_cast<std::int64_t>(number) * 1'000'000);
  e.summary = "event " + std::to_string(number);
  e.rule = "a rule in words";
  return e;
}

Event sighted(std::string type, std::uint64_t number) {
  Event e = base(std::move(type), number);
  e.severity = static_cast<Severity>(number % 8);
  e.action = static_cast<Action>(number % 3);
  e.origin_as = 131279;
  e.upstream_as = 4200000000;
  e.prefixes = {*parse_prefix("175.45.176.0/24"), *parse_prefix("2001:db8::/32")};
  e.prefix_count = 2;
  e.origin_prefix_count = 4;
  e.peers = {"rrc03-x", "edge1"};
  e.direct = number % 2 == 0;
  e.changed_between = TimeRange{e.time - std::chrono::hours(1), e.time};
  e.known_upstreams = {{KnownUpstream{4837, e.time, e.time, true}}};
  e.evidence = {Evidence{"rrc03-x", 3333, e.prefixes[0], "3333 1103 4837 131279",
                         "3333 1103 20485 131279", e.time},
                Evidence{"edge1", 64512, e.prefixes[1], std::nullopt, "", e.time}};
  return e;
}

// Everything that a name, a text of a NOTIFICATION or a description may hold.
std::vector<std::string> hostile_texts() {
  return {"",
          " ",
          "]",
          "\\",
          "\"",
          "a\\",
          "\\\"]\\\\\"]]",
          "] [lapwing@32473 id=\"forged\"]",
          "\"] <13>1 - - - - - - forged",
          std::string("nul \0 inside", 12),
          "line\nfeed\r\nand\ttab\x1b[31m",
          "\x7f\xc2\x80\xc2\x9f",
          "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\xa6\x85",
          "\xef\xbb\xbf byte order mark",
          "\xe2\x80\xae turned \xe2\x81\xa6",
          "\xff\xfe invalid \xc3",
          "a=b|c;d,e%f",
          "%n%s$!all {{summary}}",
          "12 345 <7>"};
}

std::vector<Event> sample_events() {
  std::vector<Event> events;
  std::uint64_t number = 0;
  for (const char* type :
       {"new-upstream", "upstream-share", "upstream-gone", "upstream-returned", "single-homed",
        "upstream-flap", "upstream-storm", "path-change", "origin-change", "more-specific",
        "new-prefix", "visibility-lost", "visibility-regained", "visibility-flap", "prefix-flap",
        "route-leak", "reserved-as", "peer-down", "peer-up", "peer-blind", "event-storm", "max-prefix",
        "max-attributes",
        "detector-failed", "events-lost"}) {
    Event e = sighted(type, ++number);
    e.fields = {{"count", std::int64_t{-7}},
                {"mixed", true},
                {"class", std::string("upstream")},
                {"since", e.time},
                {"reserved_as", std::vector<Asn>{64512, 4294967295}},
                {"samples", std::vector<std::string>{"AS1005 upstream AS10 gone", "two"}},
                {"none", std::vector<std::string>{}}};
    events.push_back(std::move(e));
    events.push_back(base(type, ++number));  // a type that has next to nothing
  }
  for (const std::string& text : hostile_texts()) {
    Event e = sighted("peer-down", ++number);
    e.summary = "text: " + text;
    e.rule = text;
    e.peers = {text};
    e.evidence[0].peer = text;
    e.evidence[0].new_path = text;
    e.fields = {{"shutdown_text", text}, {"texts", std::vector<std::string>{text, "x"}}};
    events.push_back(std::move(e));
  }
  Event large = sighted("path-change", ++number);
  for (int i = 0; i < 200; ++i)
    large.fields.push_back({"field_" + std::to_string(i), std::string(100, 'v') + "\"]"});
  events.push_back(std::move(large));
  return events;
}

class NoDictionary final : public rib::Dictionary {
 public:
  bgp::NlriKey nlri_key(PrefixId) const override { return {}; }
  Octets path_octets(PathId, rib::PathBuffer&) const override { return {}; }
};

void print_sinks(const sinks::SinkSet& set) {
  for (const SinkStatus& status : set.status()) {
    std::string line;
    {
      sinks::JsonObject object(line);
      object.text("name", status.name);
      object.text("state", status.state);
      object.number("cursor", status.cursor);
      object.number("retries", status.retries);
      object.number("repeated", status.repeated);
      object.number("lag_events", status.lag_events);
      object.text("last_error", status.last_error);
    }
    fmt::print("sink {}\n", line);
  }
  std::fflush(stdout);
}

bool all_delivered(const sinks::SinkSet& set, std::uint64_t last) {
  const std::vector<SinkStatus> sinks = set.status();
  for (const SinkStatus& status : sinks)
    if (status.cursor < last) return false;
  return !sinks.empty();
}

int run(const Arguments& arguments) {
  rib::StoreOptions options;
  options.path = arguments.store;
  std::string error;
  const auto store = rib::Store::open(options, error);
  if (!store) fail(error);
  Journal& journal = store->journal();
  sinks::SinkSet set(journal, {"lapwing", "0.0"});
  add_sinks(set, arguments);
  const NoDictionary dictionary;
  store->start(dictionary);
  set.start();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // sinks have asked for their cursors

  std::vector<Event> events;
  if (arguments.samples) events = sample_events();
  for (std::uint64_t n = 1; n <= arguments.count; ++n) {
    events.push_back(sighted("new-upstream", 1'000'000 + n));
    events.back().summary = "numbered " + std::to_string(n);
    if (arguments.padding != 0)
      events.back().fields = {{"padding", std::string(arguments.padding, 'p')}};
  }
  constexpr std::size_t kTogether = 10;
  std::uint64_t sequence = 0;
  for (std::size_t at = 0; at < events.size() && !ended; at += kTogether) {
    rib::Commit commit;
    commit.sequence = ++sequence;
    commit.base = commit.alive_until = events[at].time;
    for (std::size_t i = at; i < std::min(at + kTogether, events.size()); ++i)
      commit.events.push_back(events[i]);
    store->submit(std::move(commit));
    std::this_thread::sleep_for(std::chrono::microseconds(1'000'000 / arguments.rate));
  }
  while (store->durable_sequence() < sequence && !ended)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  for (const Event& event : events) {
    if (event.summary.starts_with("numbered "))
      fmt::print("event {{\"id\":\"{}\"}}\n", format_event_id(event.id));
    else
      fmt::print("event {}\n", sinks::event_json(event));
  }
  fmt::print("durable {}\n", journal.last());
  print_sinks(set);
  for (int turn = 1; !ended; ++turn) {
    if (arguments.until_delivered && all_delivered(set, journal.last())) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (turn % 10 == 0) print_sinks(set);
  }
  set.stop();
  print_sinks(set);
  store->stop();
  return 0;
}

}  // namespace
}  // namespace lapwing

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGTERM, [](int) { lapwing::ended = true; });
  return lapwing::run(lapwing::read_arguments(argc, argv));
}
