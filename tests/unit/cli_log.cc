// The log: one line a matter, with its severity, never a flood.
#include "collector/log.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

using namespace lapwing;
using namespace lapwing::collector;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  std::vector<std::string> lines;
  Timestamp now = *parse_rfc3339("2017-10-01T09:07:51.123456Z");
  Log log;
  explicit Fixture(bool journal = false)
      : log([this](std::string_view line) { lines.emplace_back(line); }, [this] { return now; },
            journal) {}
};

}  // namespace

TEST_CASE("log: time, level, matter and text on a terminal") {
  Fixture f;
  f.log.warning("peer edge1", "hold timer expired after {} s", 90);
  f.log.error("", "no matter");
  REQUIRE(f.lines.size() == 2);
  CHECK_EQ(f.lines[0],
           "2017-10-01T09:07:51.123Z warning peer edge1: hold timer expired after 90 s\n");
  CHECK_EQ(f.lines[1], "2017-10-01T09:07:51.123Z error no matter\n");
}

TEST_CASE("log: journald's severity in front, and no time, under systemd") {
  Fixture f(true);
  f.log.set_level(LogLevel::kDebug);
  f.log.error("m", "e");
  f.log.warning("m", "w");
  f.log.notice("m", "n");
  f.log.info("m", "i");
  f.log.debug("m", "d");
  CHECK((f.lines == std::vector<std::string>{"<3>m: e\n", "<4>m: w\n", "<5>m: n\n", "<6>m: i\n",
                                             "<7>m: d\n"}));
}

TEST_CASE("log: what is below the level is not written and not counted") {
  Fixture f;
  for (int i = 0; i < 100; ++i) f.log.debug("m", "d");
  CHECK(f.lines.empty());
  f.log.flush();
  CHECK(f.lines.empty());
}

TEST_CASE("log: control characters are escaped, so that a line stays a line") {
  Fixture f(true);
  f.log.info("peer a\nb", "{}", "x\r\n<0>forged\x1b[31m\x7f");
  CHECK((f.lines ==
         std::vector<std::string>{"<6>peer a\\x0ab: x\\x0d\\x0a<0>forged\\x1b[31m\\x7f\n"}));
}

TEST_CASE("log: a matter that floods is cut and counted, another one is not") {
  Fixture f(true);
  for (unsigned i = 0; i < Log::kBurst + 7; ++i) f.log.info("loud", "{}", i);
  CHECK_EQ(f.lines.size(), Log::kBurst);
  f.log.info("calm", "x");
  CHECK_EQ(f.lines.back(), "<6>calm: x\n");
  f.now += Log::kWindow;
  f.log.info("loud", "again");
  CHECK_EQ(f.lines.back(), "<6>loud: again (7 lines before this one left out)\n");
  f.log.info("loud", "once more");
  CHECK_EQ(f.lines.back(), "<6>loud: once more\n");
}

TEST_CASE("log: flush tells what was left out, once") {
  Fixture f(true);
  for (unsigned i = 0; i < Log::kBurst + 2; ++i) f.log.info("loud", "{}", i);
  f.log.flush();
  CHECK_EQ(f.lines.back(), "<5>loud: 2 further lines left out\n");
  const auto size = f.lines.size();
  f.log.flush();
  CHECK_EQ(f.lines.size(), size);
}

TEST_CASE("log: a clock that steps back does not silence a matter") {
  Fixture f(true);
  for (unsigned i = 0; i < Log::kBurst; ++i) f.log.info("m", "{}", i);
  f.now -= 1h;
  f.log.info("m", "after the step");
  CHECK_EQ(f.lines.back(), "<6>m: after the step\n");
}

TEST_CASE("log: however many matters there are, each is written") {
  Fixture f(true);
  for (unsigned i = 0; i < 3 * Log::kMaxMatters; ++i) f.log.info(std::to_string(i), "x");
  CHECK_EQ(f.lines.size(), 3 * Log::kMaxMatters);
}

TEST_CASE("log: JOURNAL_STREAM counts only where it names our own file") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  struct stat status {};
  REQUIRE(::fstat(::fileno(file), &status) == 0);
  const std::string own = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  CHECK(is_journal_stream(own.c_str(), ::fileno(file)));
  CHECK_FALSE(is_journal_stream((own + "0").c_str(), ::fileno(file)));
  CHECK_FALSE(is_journal_stream((own + "x").c_str(), ::fileno(file)));
  CHECK_FALSE(is_journal_stream(nullptr, ::fileno(file)));
  CHECK_FALSE(is_journal_stream("", ::fileno(file)));
  CHECK_FALSE(is_journal_stream("8", ::fileno(file)));
  CHECK_FALSE(is_journal_stream(own.c_str(), -1));
  std::fclose(file);
}
