#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>

#include "sink_sockets.h"
#include "sink_testing.h"
#include "sinks/registry.h"
#include "sinks/runner.h"
#include "sinks/syslog_queue.h"
#include "sinks/syslog_sink.h"
#include "sinks/syslog_target.h"
#include "tests/unit/temp_dir.h"

namespace lapwing::sinks {
namespace {

using testing::accept_one;
using testing::bind_loopback;
using testing::bind_loopback_pair;
using testing::bind_unix;
using testing::Fd;
using testing::MemoryJournal;
using testing::read_more;
using testing::run_until;
using testing::sequence;

/// The N of "event N" at the end of a message; 0: none.
std::uint64_t number_of(std::string_view message) {
  const std::size_t at = message.rfind("event ");
  return at == std::string_view::npos ? 0 : std::stoull(std::string(message.substr(at + 6)));
}

std::vector<std::uint64_t> numbers_of(const std::vector<std::string>& messages) {
  std::vector<std::uint64_t> out;
  for (const std::string& m : messages) out.push_back(number_of(m));
  return out;
}

/// The numbers without those that came before: what a receiver keeps that drops known ids.
std::vector<std::uint64_t> without_repeats(const std::vector<std::uint64_t>& numbers) {
  std::set<std::uint64_t> seen;
  std::vector<std::uint64_t> out;
  for (const std::uint64_t n : numbers)
    if (seen.insert(n).second) out.push_back(n);
  return out;
}

struct SyslogBench {
  explicit SyslogBench(const std::string& target,
                       std::vector<std::pair<std::string, SettingValue>> more = {}) {
    Settings settings;
    settings.set("target", target);
    settings.set("hostname", "h");
    for (auto& [key, value] : more) settings.set(key, std::move(value));
    auto sink = make_sink("syslog", settings, io, {"lapwing", "1"});
    for (const SettingError& e : settings.finish()) FAIL(e.key << ": " << e.message);
    journal.set_cursor(sink->name(), 0);
    runner.emplace(io, journal, std::move(sink));
  }
  std::uint64_t cursor() const { return runner->status().cursor; }

  boost::asio::io_context io;
  MemoryJournal journal;
  std::optional<SinkRunner> runner;
};

/// A TCP or Unix stream receiver that keeps what it reads.
struct Receiver {
  explicit Receiver(Fd l) : listener(std::move(l)) {}
  /// Accepts and reads what there is. True when something happened.
  void turn(std::size_t most = ~std::size_t{0}) {
    if (Fd next = accept_one(listener)) {
      connection = std::move(next);
      stream.clear();
      ++connections;
    }
    if (connection && !read_more(connection, stream, most)) connection.reset();
    for (std::string& m : counted ? testing::take_counted(stream) : testing::take_lines(stream))
      messages.push_back(std::move(m));
  }
  Fd listener;
  Fd connection;
  std::string stream;
  std::vector<std::string> messages;
  unsigned connections = 0;
  bool counted = true;
};

TEST_CASE("syslog target: what is understood and what is not") {
  const auto udp = parse_syslog_target("udp://192.0.2.1:5514").value();
  CHECK(udp.host == "192.0.2.1");
  CHECK(udp.port == "5514");
  CHECK(parse_syslog_target("tcp://log.example.net")->port == "514");
  CHECK(parse_syslog_target("tls://[2001:db8::1]")->port == "6514");
  CHECK(parse_syslog_target("tls://[2001:db8::1]")->host == "2001:db8::1");
  CHECK(parse_syslog_target("unix:///dev/log")->path == "/dev/log");
  for (const char* wrong :
       {"", "host:514", "udp://", "udp://:514", "udp://h:", "udp://h:0", "udp://h:65536",
        "udp://h:5x", "udp://2001:db8::1", "udp://[h]:1", "udp://[::1", "udp://[::1]514",
        "unix://dev/log", "unix://", "http://h"})
    CHECK_MESSAGE(!parse_syslog_target(wrong), wrong);
}

TEST_CASE("syslog over UDP: one datagram for each event, in order, also when there are many") {
  for (const bool v6 : {false, true}) {
    std::uint16_t port = 0;
    const Fd receiver = bind_loopback(SOCK_DGRAM, port, v6);
    if (v6 && !receiver) {
      MESSAGE("skipped: there is no IPv6 loopback address");
      continue;
    }
    SyslogBench bench(std::string("udp://") + (v6 ? "[::1]" : "127.0.0.1") + ":" +
                      std::to_string(port));
    bench.journal.add_numbered(1, 600);
    bench.runner->start();
    std::vector<std::string> datagrams;
    CHECK(run_until(bench.io, [&] {
      char buffer[65536];
      for (ssize_t n = 0; (n = ::recv(receiver.get(), buffer, sizeof buffer, 0)) > 0;)
        datagrams.emplace_back(buffer, static_cast<std::size_t>(n));
      return bench.cursor() == 600 && datagrams.size() >= 600;
    }));
    CHECK(numbers_of(datagrams) == sequence(1, 600));
    CHECK(datagrams[0].starts_with("<188>1 2017-10-01T09:07:52.000000Z h lapwing "));
  }
}

TEST_CASE("syslog over UDP: while the host refuses, events wait; they arrive when it is back") {
  std::uint16_t port = 0;
  Fd receiver = bind_loopback(SOCK_DGRAM, port);
  receiver.reset();
  SyslogBench bench("udp://127.0.0.1:" + std::to_string(port));
  bench.journal.add_numbered(1, 20);
  bench.runner->start();
  CHECK(run_until(bench.io, [&] { return bench.runner->status().retries >= 2; }));
  CHECK(bench.cursor() == 0);
  CHECK(bench.runner->status().state.find("refused") != std::string::npos);
  receiver = bind_loopback(SOCK_DGRAM, port);
  REQUIRE(receiver);
  CHECK(run_until(bench.io, [&] { return bench.cursor() == 20; }));
  char buffer[65536];
  for (std::uint64_t n = 1; n <= 20; ++n) {
    const ssize_t size = ::recv(receiver.get(), buffer, sizeof buffer, 0);
    REQUIRE(size > 0);
    CHECK(number_of({buffer, static_cast<std::size_t>(size)}) == n);
  }
}

TEST_CASE(
    "syslog over UDP: a message beyond what a datagram holds is shortened, not repeated for ever") {
  std::uint16_t port = 0;
  const Fd receiver = bind_loopback(SOCK_DGRAM, port);
  SyslogBench bench("udp://127.0.0.1:" + std::to_string(port), {{"max-size", std::int64_t{65000}}});
  Event e = testing::numbered(1);
  e.summary = std::string(64000, 'x');
  bench.journal.add(e);
  bench.journal.add_numbered(2, 2);
  bench.runner->start();
  CHECK(run_until(bench.io, [&] { return bench.cursor() == 2; }));
  std::string datagram(65536, '\0');
  for (const char* sequence : {"sequenceId=\"1\"", "sequenceId=\"2\""}) {
    const ssize_t size = ::recv(receiver.get(), datagram.data(), datagram.size(), 0);
    REQUIRE(size > 0);
    CHECK(datagram.substr(0, static_cast<std::size_t>(size)).find(sequence) != std::string::npos);
  }
}

TEST_CASE("RFC 6587 3.4.1: over TCP each message is preceded by its length") {
  std::uint16_t port = 0;
  Receiver receiver(bind_loopback(SOCK_STREAM, port));
  SyslogBench bench("tcp://127.0.0.1:" + std::to_string(port));
  bench.journal.add_numbered(1, 2000);
  bench.runner->start();
  CHECK(run_until(bench.io, [&] { return receiver.turn(), bench.cursor() == 2000; }));
  receiver.turn();
  CHECK(numbers_of(receiver.messages) == sequence(1, 2000));
  CHECK(receiver.connections == 1);
  CHECK(bench.runner->status().state == "up");
}

TEST_CASE("RFC 6587 3.4.2: framing lf ends each message with a line feed") {
  std::uint16_t port = 0;
  Receiver receiver(bind_loopback(SOCK_STREAM, port));
  receiver.counted = false;
  SyslogBench bench("tcp://127.0.0.1:" + std::to_string(port), {{"framing", std::string("lf")}});
  bench.journal.add_numbered(1, 50);
  bench.runner->start();
  CHECK(run_until(bench.io, [&] { return receiver.turn(), receiver.messages.size() >= 50; }));
  CHECK(numbers_of(receiver.messages) == sequence(1, 50));
}

TEST_CASE("syslog over TCP: a receiver that is not there yet gets everything once it is") {
  std::uint16_t port = 0;
  bind_loopback(SOCK_STREAM, port).reset();
  SyslogBench bench("tcp://127.0.0.1:" + std::to_string(port));
  bench.journal.add_numbered(1, 100);
  bench.runner->start();
  CHECK(run_until(bench.io, [&] { return bench.runner->status().retries >= 2; }));
  Receiver receiver(bind_loopback(SOCK_STREAM, port));
  CHECK(run_until(bench.io, [&] { return receiver.turn(), bench.cursor() == 100; }));
  receiver.turn();
  CHECK(numbers_of(receiver.messages) == sequence(1, 100));
}

/// The numbers that came before although their message does not say that it is a repetition.
std::vector<std::uint64_t> unmarked_repeats(const std::vector<std::string>& messages) {
  std::set<std::uint64_t> seen;
  std::vector<std::uint64_t> out;
  for (const std::string& m : messages)
    if (!seen.insert(number_of(m)).second && m.find(" repeat=\"true\"") == std::string::npos)
      out.push_back(number_of(m));
  return out;
}

TEST_CASE("syslog over TCP: a receiver killed in mid-stream again and again misses nothing") {
  std::uint16_t port = 0;
  std::vector<std::string> all;
  std::optional<Receiver> receiver(std::in_place, bind_loopback(SOCK_STREAM, port));
  SyslogBench bench("tcp://127.0.0.1:" + std::to_string(port));
  bench.journal.add_numbered(1, 1000);
  bench.runner->start();
  for (int kill = 0; kill < 4; ++kill) {
    const std::size_t enough = 40u + 60u * static_cast<unsigned>(kill);
    REQUIRE(run_until(
        bench.io,
        [&] {
          receiver->turn(5000);  // reads some, so that unread messages die with it
          return receiver->messages.size() >= enough;
        },
        std::chrono::seconds(60)));
    all.insert(all.end(), receiver->messages.begin(), receiver->messages.end());
    receiver.reset();
    run_until(
        bench.io, [] { return false; }, std::chrono::milliseconds(50));
    receiver.emplace(bind_loopback(SOCK_STREAM, port));
    REQUIRE(receiver->listener);
  }
  bench.journal.add_numbered(1001, 1200);
  REQUIRE(run_until(
      bench.io,
      [&] {
        receiver->turn();
        return bench.cursor() == 1200 && !receiver->messages.empty() &&
               number_of(receiver->messages.back()) == 1200;
      },
      std::chrono::seconds(60)));
  const auto last = numbers_of(receiver->messages);
  CHECK(last == sequence(last.front(), 1200));  // one connection is in order without a gap
  all.insert(all.end(), receiver->messages.begin(), receiver->messages.end());
  CHECK(without_repeats(numbers_of(all)) == sequence(1, 1200));
  CHECK(unmarked_repeats(all).empty());
  CHECK(bench.runner->status().repeated > 0);
}

TEST_CASE("syslog over TCP: what was acknowledged and never read is sent again, however long ago") {
  SyslogQueue queue(1 << 20);
  const auto start = SyslogQueue::Clock::now();
  for (std::uint64_t n = 1; n <= 100; ++n) {
    queue.push(n, std::string(1000, 'x'));
    queue.take();
  }
  CHECK(queue.acknowledge(100, start) == 100);
  CHECK(queue.rewind(start + std::chrono::hours(1), SyslogQueue::after_close()) == 0);
  CHECK(queue.rewind(start + std::chrono::hours(1), SyslogQueue::after_reset(0)) == 100);
  CHECK(queue.take()->number == 1);
}

TEST_CASE("syslog over TCP: no more is sent again than the receiver's kernel can have held") {
  SyslogQueue queue(8 << 20);
  for (std::uint64_t n = 1; n <= 6000; ++n) {
    queue.push(n, std::string(1000, 'x'));
    queue.take();
  }
  queue.acknowledge(6000, SyslogQueue::Clock::now());
  const auto now = SyslogQueue::Clock::now() + std::chrono::minutes(5);
  CHECK(queue.rewind(now, SyslogQueue::after_reset(1'000'000)) == 2000);
  while (queue.take() != nullptr) {
  }
  queue.acknowledge(2000, now);
  CHECK(queue.rewind(now, SyslogQueue::after_reset(0)) == (SyslogQueue::kLeastDoubt + 999) / 1000);
}

TEST_CASE("syslog over TCP: acknowledged messages beyond keep-octets are given free") {
  SyslogQueue queue(10'000);
  for (std::uint64_t n = 1; n <= 100; ++n) {
    queue.push(n, std::string(1000, 'x'));
    queue.take();
    queue.acknowledge(1, SyslogQueue::Clock::now());
  }
  CHECK(queue.rewind(SyslogQueue::Clock::now(), SyslogQueue::after_reset(1 << 20)) == 10);
  CHECK(queue.take()->number == 91);
}

TEST_CASE("syslog over TCP: a name that changes its address is followed at the next connection") {
  auto [first, second, port] = bind_loopback_pair(SOCK_STREAM);
  std::optional<Receiver> receiver(std::in_place, std::move(first));
  Receiver other(Fd{});
  boost::asio::io_context io;
  MemoryJournal journal;
  SyslogSinkOptions options;
  options.name = "moving";
  options.target = parse_syslog_target("tcp://log.example.net:" + std::to_string(port)).value();
  options.keep_octets = 1 << 20;
  std::string address = "127.0.0.1";
  options.find_host = [&address](const std::string& host) {
    CHECK(host == "log.example.net");
    return address;
  };
  journal.set_cursor("moving", 0);
  SinkRunner runner(io, journal, std::make_unique<SyslogSink>(io, std::move(options)));
  journal.add_numbered(1, 10);
  runner.start();
  CHECK(run_until(io, [&] { return receiver->turn(), receiver->messages.size() == 10; }));
  CHECK(run_until(io, [&] { return runner.status().cursor == 10; }));
  // The name moves, and the old host goes.
  ::listen(second.get(), 4);
  testing::set_nonblocking(second.get());
  other.listener = std::move(second);
  address = "127.0.0.2";
  receiver.reset();
  journal.add_numbered(11, 20);
  CHECK(run_until(io, [&] { return other.turn(), runner.status().cursor == 20; }));
  other.turn();
  CHECK(without_repeats(numbers_of(other.messages)).back() == 20);
}

TEST_CASE("syslog over UDP: a name is asked again after its lifetime") {
  const auto [first, second, port] = bind_loopback_pair(SOCK_DGRAM);
  boost::asio::io_context io;
  MemoryJournal journal;
  SyslogSinkOptions options;
  options.name = "moving";
  options.target = parse_syslog_target("udp://log.example.net:" + std::to_string(port)).value();
  options.name_lifetime = std::chrono::seconds(0);
  std::string address = "127.0.0.1";
  options.find_host = [&address](const std::string&) { return address; };
  journal.set_cursor("moving", 0);
  SinkRunner runner(io, journal, std::make_unique<SyslogSink>(io, std::move(options)));
  journal.add_numbered(1, 1);
  runner.start();
  CHECK(run_until(io, [&] { return runner.status().cursor == 1; }));
  address = "127.0.0.2";
  journal.add_numbered(2, 2);
  CHECK(run_until(io, [&] { return runner.status().cursor == 2; }));
  char buffer[2048];
  const ssize_t size = ::recv(second.get(), buffer, sizeof buffer, 0);
  REQUIRE(size > 0);
  CHECK(number_of({buffer, static_cast<std::size_t>(size)}) == 2);
}

TEST_CASE(
    "syslog over TCP: a receiver that never reads holds up nothing, and its successor gets all") {
  std::uint16_t port = 0;
  std::optional<Fd> listener(bind_loopback(SOCK_STREAM, port));
  Fd silent;
  SyslogBench bench("tcp://127.0.0.1:" + std::to_string(port));
  bench.journal.add_numbered(1, 20000);
  bench.runner->start();
  std::uint64_t turns = 0;
  run_until(
      bench.io,
      [&] {
        if (!silent) silent = accept_one(*listener);
        return ++turns, false;
      },
      std::chrono::milliseconds(1500));
  CHECK(silent);
  CHECK(turns > 50);  // the thread was free all the time
  const std::uint64_t stuck = bench.cursor();
  CHECK(stuck < 20000);
  silent.reset();
  listener.reset();
  Receiver receiver(bind_loopback(SOCK_STREAM, port));
  REQUIRE(receiver.listener);
  CHECK(run_until(
      bench.io, [&] { return receiver.turn(), bench.cursor() == 20000; },
      std::chrono::seconds(60)));
  receiver.turn();
  CHECK(without_repeats(numbers_of(receiver.messages)) == sequence(1, 20000));
}

TEST_CASE(
    "syslog over TCP: a receiver that closes after every message does not make an endless loop") {
  std::uint16_t port = 0;
  Receiver receiver(bind_loopback(SOCK_STREAM, port));
  SyslogBench bench("tcp://127.0.0.1:" + std::to_string(port));
  bench.journal.add_numbered(1, 1);
  bench.runner->start();
  std::size_t closed_at = 0;
  run_until(
      bench.io,
      [&] {
        receiver.turn();
        if (receiver.messages.size() > closed_at) {
          closed_at = receiver.messages.size();
          receiver.connection.reset();
        }
        return false;
      },
      std::chrono::seconds(4));
  CHECK(bench.cursor() == 1);
  CHECK(receiver.messages.size() <= 1 + SyslogQueue::after_close().repeats);
}

TEST_CASE("syslog over a Unix socket: datagrams, and a slow reader slows, but loses nothing") {
  test::TempDir folder;
  const std::string path = folder.file("log");
  const Fd receiver = bind_unix(SOCK_DGRAM, path);
  SyslogBench bench("unix://" + path);
  bench.journal.add_numbered(1, 1000);
  bench.runner->start();
  std::vector<std::string> datagrams;
  CHECK(run_until(bench.io, [&] {
    char buffer[65536];
    for (int i = 0; i < 7; ++i) {
      const ssize_t n = ::recv(receiver.get(), buffer, sizeof buffer, 0);
      if (n <= 0) break;
      datagrams.emplace_back(buffer, static_cast<std::size_t>(n));
    }
    return datagrams.size() == 1000;
  }));
  CHECK(numbers_of(datagrams) == sequence(1, 1000));
  CHECK(run_until(bench.io, [&] { return bench.cursor() == 1000; }));
}

TEST_CASE(
    "syslog over a Unix socket: a stream socket is found, and a restart of the receiver too") {
  test::TempDir folder;
  const std::string path = folder.file("log");
  std::optional<Receiver> receiver(std::in_place, bind_unix(SOCK_STREAM, path));
  receiver->counted = false;
  SyslogBench bench("unix://" + path);
  bench.journal.add_numbered(1, 300);
  bench.runner->start();
  CHECK(run_until(bench.io, [&] { return receiver->turn(), bench.cursor() == 300; }));
  std::vector<std::uint64_t> all = numbers_of(receiver->messages);
  receiver.reset();
  ::unlink(path.c_str());
  bench.journal.add_numbered(301, 310);
  run_until(
      bench.io, [] { return false; }, std::chrono::milliseconds(300));
  CHECK(bench.cursor() == 300);
  receiver.emplace(bind_unix(SOCK_STREAM, path));
  receiver->counted = false;
  CHECK(run_until(bench.io, [&] { return receiver->turn(), bench.cursor() == 310; }));
  for (const std::uint64_t n : numbers_of(receiver->messages)) all.push_back(n);
  CHECK(without_repeats(all) == sequence(1, 310));
}

TEST_CASE("syslog: the filter withholds messages and still moves the cursor") {
  std::uint16_t port = 0;
  Receiver receiver(bind_loopback(SOCK_STREAM, port));
  SyslogBench bench("tcp://127.0.0.1:" + std::to_string(port),
                    {{"min-severity", std::string("error")}});
  bench.journal.add_numbered(1, 10);
  bench.runner->start();
  CHECK(run_until(bench.io, [&] { return bench.cursor() == 10; }));
  CHECK(receiver.connections == 0);
}

TEST_CASE("syslog: wrong settings are errors of the configuration, not of the first event") {
  boost::asio::io_context io;
  const auto errors = [&io](std::vector<std::pair<std::string, std::string>> values) {
    Settings settings;
    for (auto& [key, value] : values) settings.set(key, value);
    make_sink("syslog", settings, io, {"lapwing", "1"});
    std::vector<std::string> keys;
    for (const SettingError& e : settings.finish()) keys.push_back(e.key);
    return keys;
  };
  using Keys = std::vector<std::string>;
  CHECK(errors({{"target", "udp:/x"}}) == Keys{"target"});
  CHECK(errors({{"target", "tls://h"}, {"ca-file", "/nonexistent"}}) == Keys{"ca-file"});
  CHECK(errors({{"target", "tls://h"}, {"fingerprint", "sha-256:AB"}}) == Keys{"fingerprint"});
  CHECK(errors({{"target", "tls://h"}, {"certificate", "/x"}})[0] == "key");
  CHECK(errors({{"framing", "none"}}) == Keys{"framing"});
  CHECK(errors({{"tarket", "x"}}) == Keys{"tarket"});
}

}  // namespace
}  // namespace lapwing::sinks
