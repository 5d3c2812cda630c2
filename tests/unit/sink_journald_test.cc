#include <doctest/doctest.h>
#include <sys/mman.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>

#include "sink_sockets.h"
#include "sink_testing.h"
#include "sinks/journald_sink.h"
#include "sinks/registry.h"
#include "sinks/runner.h"
#include "tests/unit/temp_dir.h"

namespace lapwing::sinks {
namespace {

using testing::bind_unix;
using testing::Fd;
using testing::MemoryJournal;
using testing::run_until;
using Fields = std::map<std::string, std::string>;

/// Reads the native protocol as systemd documents it; nullopt: malformed.
std::optional<Fields> parse_fields(std::string_view text) {
  Fields fields;
  while (!text.empty()) {
    const std::size_t end = text.find_first_of("=\n");
    if (end == std::string_view::npos || end == 0) return std::nullopt;
    const std::string name(text.substr(0, end));
    if (name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != std::string::npos)
      return std::nullopt;
    std::size_t size = 0;
    if (text[end] == '=') {
      size = text.find('\n', end) - end - 1;
      text.remove_prefix(end + 1);
    } else {
      for (unsigned i = 0; i < 8; ++i)
        size |= std::size_t{static_cast<unsigned char>(text.at(end + 1 + i))} << (8 * i);
      text.remove_prefix(end + 9);
    }
    if (text.size() <= size || text[size] != '\n') return std::nullopt;
    fields[name] = text.substr(0, size);
    text.remove_prefix(size + 1);
  }
  return fields;
}

/// A journald that only reads: plain datagrams, and memory files that are sealed.
struct Journald {
  explicit Journald(const std::string& path) : fd(bind_unix(SOCK_DGRAM, path)) {}
  std::optional<std::string> receive() {
    std::string data(1 << 16, '\0');
    iovec part{data.data(), data.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t size = ::recvmsg(fd.get(), &header, 0);
    if (size < 0) return std::nullopt;
    data.resize(static_cast<std::size_t>(size));
    const cmsghdr* rights = CMSG_FIRSTHDR(&header);
    if (rights == nullptr) return data;
    int number = -1;
    std::memcpy(&number, CMSG_DATA(rights), sizeof number);
    const Fd file(number);
    ++files;
    sealed = sealed && (::fcntl(number, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_SHRINK)) ==
                           (F_SEAL_WRITE | F_SEAL_SHRINK);
    data.resize(8 << 20);
    data.resize(static_cast<std::size_t>(::pread(number, data.data(), data.size(), 0)));
    return data;
  }
  Fd fd;
  unsigned files = 0;
  bool sealed = true;
};

struct JournaldBench {
  explicit JournaldBench(const std::string& socket) {
    Settings settings;
    settings.set("socket", socket);
    settings.set("longest-pause", std::int64_t{1});
    auto sink = make_sink("journald", settings, io, {"lapwing", "1"});
    for (const SettingError& e : settings.finish()) FAIL(e.key << ": " << e.message);
    journal.set_cursor(sink->name(), 0);
    runner.emplace(io, journal, std::move(sink));
  }
  std::uint64_t cursor() const { return runner->status().cursor; }
  boost::asio::io_context io;
  MemoryJournal journal;
  std::optional<SinkRunner> runner;
};

TEST_CASE("journald: the story's event is these fields") {
  const Fields fields =
      parse_fields(journald_message(testing::story(), {"LAPWING_", "lapwing", 23})).value();
  CHECK(fields == Fields{{"MESSAGE", "AS131279 has a new upstream AS20485 for 175.45.176.0/24"},
                         {"PRIORITY", "4"},
                         {"SYSLOG_IDENTIFIER", "lapwing"},
                         {"SYSLOG_FACILITY", "23"},
                         {"LAPWING_TYPE", "new-upstream"},
                         {"LAPWING_SEVERITY", "warning"},
                         {"LAPWING_TIME", "2017-10-01T09:07:51.000000Z"},
                         {"LAPWING_CAUSE", "live"},
                         {"LAPWING_RULE", "adjacency never seen before"},
                         {"LAPWING_ID", "01010101010101010101010101010101"},
                         {"LAPWING_INCIDENT", "abababababababababababababababab"},
                         {"LAPWING_ACTION", "raise"},
                         {"LAPWING_ORIGIN_AS", "131279"},
                         {"LAPWING_UPSTREAM_AS", "20485"},
                         {"LAPWING_PREFIX", "175.45.176.0/24"},
                         {"LAPWING_PREFIXES", "1"},
                         {"LAPWING_PEER", "rrc03-x"},
                         {"LAPWING_OLD_PATH", "3333 1103 4837 131279"},
                         {"LAPWING_NEW_PATH", "3333 1103 20485 131279"}});
}

TEST_CASE("journald: no value can forge a field") {
  Event e = testing::story();
  e.summary = "one\nPRIORITY=0\ntwo\xff";
  e.fields = {{"shut\ndown=", std::string("a\0b", 3)}, {std::string(90, 'x'), true}};
  const Fields fields = parse_fields(journald_message(e, {"LAPWING_", "lapwing", 23})).value();
  CHECK(fields.at("MESSAGE") == "one\nPRIORITY=0\ntwo\xef\xbf\xbd");
  CHECK(fields.at("PRIORITY") == "4");
  CHECK(fields.at("LAPWING_SHUT_DOWN_") == std::string("a\0b", 3));
  CHECK(fields.at("LAPWING_" + std::string(56, 'X')) == "true");
}

TEST_CASE("journald: everything arrives once and in order, also through a full socket") {
  const test::TempDir folder;
  Journald journald(folder.file("socket"));
  JournaldBench bench(folder.file("socket"));
  bench.journal.add_numbered(1, 600);
  bench.runner->start();
  std::vector<std::string> messages;
  CHECK(run_until(bench.io, [&] {
    for (int i = 0; i < 50; ++i)
      if (auto data = journald.receive())
        messages.push_back(parse_fields(*data).value().at("MESSAGE"));
    return bench.cursor() == 600;
  }));
  while (auto data = journald.receive())
    messages.push_back(parse_fields(*data).value().at("MESSAGE"));
  REQUIRE(messages.size() == 600);
  for (std::uint64_t n = 1; n <= 600; ++n) CHECK(messages[n - 1] == "event " + std::to_string(n));
  CHECK(bench.runner->status().retries == 0);  // a full socket is no error
}

TEST_CASE("journald: what is too large for a datagram comes as a sealed file") {
  const test::TempDir folder;
  Journald journald(folder.file("socket"));
  JournaldBench bench(folder.file("socket"));
  Event e = testing::story();
  e.summary = std::string(2 << 20, 's');
  bench.journal.add(e);
  bench.journal.add_numbered(2, 2);
  bench.runner->start();
  std::vector<std::string> messages;
  CHECK(run_until(bench.io, [&] {
    if (auto data = journald.receive())
      messages.push_back(parse_fields(*data).value().at("MESSAGE"));
    return messages.size() == 2;
  }));
  CHECK(messages[0].size() == 2 << 20);
  CHECK(messages[1] == "event 2");
  CHECK(journald.files == 1);
  CHECK(journald.sealed);
}

TEST_CASE("journald: while it is away events wait, and they arrive when it is back") {
  const test::TempDir folder;
  JournaldBench bench(folder.file("socket"));
  bench.journal.add_numbered(1, 20);
  bench.runner->start();
  CHECK(run_until(bench.io, [&] { return bench.runner->status().retries >= 2; }));
  CHECK(bench.cursor() == 0);
  CHECK(bench.runner->status().state.find("No such file") != std::string::npos);
  Journald journald(folder.file("socket"));
  unsigned count = 0;
  CHECK(run_until(bench.io, [&] {
    while (journald.receive()) ++count;
    return bench.cursor() == 20;
  }));
  while (journald.receive()) ++count;
  CHECK(count == 20);
  CHECK(bench.runner->status().state == "up");
}

}  // namespace
}  // namespace lapwing::sinks
