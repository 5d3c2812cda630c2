#include "sinks/process_figures.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace lapwing::sinks {

namespace {

// The fields of /proc/self/stat from the third on; proc(5). The second may hold blanks.
std::vector<double> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(line.substr(name_end + 1));
  std::string state;
  rest >> state;
  std::vector<double> fields;
  for (double value = 0; rest >> value;) fields.push_back(value);
  return fields;
}

// When the machine started. /proc/stat is not there in the unit's sandbox.
double boot_seconds() {
  timespec now{}, since_boot{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return static_cast<double>(now.tv_sec - since_boot.tv_sec) +
         static_cast<double>(now.tv_nsec - since_boot.tv_nsec) / 1e9;
}

}  // namespace

ProcessFigures read_process_figures() {
  // Of the fields after the state: utime 10, stime 11, threads 16, start 18, vsize 19, rss 20.
  constexpr std::size_t kUtime = 10, kStime = 11, kThreads = 16, kStart = 18, kSize = 19, kRss = 20;
  ProcessFigures out;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  if (const std::vector<double> fields = stat_fields(); fields.size() > kRss && ticks > 0) {
    out.cpu_seconds = (fields[kUtime] + fields[kStime]) / ticks;
    out.threads = static_cast<std::uint64_t>(fields[kThreads]);
    out.start_seconds = boot_seconds() + fields[kStart] / ticks;
    out.virtual_bytes = static_cast<std::uint64_t>(fields[kSize]);
    out.resident_bytes = static_cast<std::uint64_t>(fields[kRss]) *
                         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  std::error_code error;
  std::filesystem::directory_iterator files("/proc/self/fd", error);
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error))
    ++out.open_files;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) out.max_files = limit.rlim_cur;
  return out;
}

}  // namespace lapwing::sinks
