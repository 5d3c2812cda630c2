#include "detectors/plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <exception>
#include <optional>

#include "detectors/plugin_detector.h"
#include "detectors/plugin_event.h"

namespace lapwing::detectors {
namespace {

constexpr unsigned kLoadSeconds = 10;
constexpr int kRehearsed = 43;  // exit code of a child that came to its end
constexpr char kSymbol[] = "lapwing_plugin";
// Up to and with `create`: no table of any version is smaller.
constexpr std::size_t kSmallestTable = offsetof(lapwing_plugin_table, create) + sizeof(void*);

std::string last_dl_error() {
  const char* text = ::dlerror();
  return text == nullptr ? "unknown error" : text;
}

/// The table, or nullptr and a sentence in `error`. The object stays loaded: its code may be called by
/// destructors until the end.
const lapwing_plugin_table* open_table(const std::string& file, std::string& error) {
  void* object = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) {
    error = last_dl_error();
    return nullptr;
  }
  using Entry = const lapwing_plugin_table* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(object, kSymbol));
  if (entry == nullptr) {
    error = fmt::format("exports no function `{}`", kSymbol);
    return nullptr;
  }
  const lapwing_plugin_table* table = entry();
  if (table == nullptr || table->size < kSmallestTable || table->create == nullptr)
    error = fmt::format("`{}` returns no table with a function `create`", kSymbol);
  else if (table->abi != LAPWING_PLUGIN_ABI)
    error = fmt::format("is made for plugin ABI {}, this Lapwing has {}", table->abi,
                        LAPWING_PLUGIN_ABI);
  else if (table->routes > LAPWING_ROUTES_ALL)
    error = fmt::format("its table wants routes of kind {}, which there is not", table->routes);
  return error.empty() ? table : nullptr;
}

std::unique_ptr<Detector> create(const std::string& name, const std::string& file,
                                 Settings& settings, std::string& error) {
  const lapwing_plugin_table* table = open_table(file, error);
  if (table == nullptr) return nullptr;
  try {
    auto detector = std::make_unique<PluginDetector>(name, *table, settings);
    if (!detector->error()) return detector;
    error = *detector->error();
  } catch (const std::exception& thrown) {
    error = fmt::format("its function `create` threw: {}", thrown.what());
  } catch (...) {
    error = "its function `create` threw what is no std::exception";
  }
  return nullptr;
}

/// What happens to a process that loads and creates it; nullopt: nothing bad.
std::optional<std::string> rehearse(const std::string& name, const std::string& file,
                                    const Settings& settings) {
  const pid_t child = ::fork();
  if (child < 0) return std::nullopt;
  if (child == 0) {
    for (const int signal : {SIGALRM, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
      ::signal(signal, SIG_DFL);
    ::alarm(kLoadSeconds);
    Settings copy = settings;
    std::string error;
    create(name, file, copy, error);
    ::_exit(kRehearsed);  // an error that is told is told again by the one who asks
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    return fmt::format("was not loaded and created within {} s", kLoadSeconds);
  if (WIFSIGNALED(status))
    return fmt::format("crashes while it is loaded: {}", ::strsignal(WTERMSIG(status)));
  if (WIFEXITED(status) && WEXITSTATUS(status) != kRehearsed)
    return fmt::format("ends the process with {} while it is loaded", WEXITSTATUS(status));
  return std::nullopt;
}

}  // namespace

std::unique_ptr<Detector> load_plugin(const std::string& name, std::string_view directory,
                                      Settings& settings) {
  std::string file = settings.text("plugin", "");
  if (!is_hyphenated(name)) {
    settings.error("plugin", "a detector is named in lower-case words joined by hyphens");
    return nullptr;
  }
  if (std::ranges::count(kOwnNames, name) != 0) {
    settings.error("plugin", "that name is Lapwing's own");
    return nullptr;
  }
  if (file.empty()) {
    settings.error("plugin", "must name a shared object");
    return nullptr;
  }
  if (file.front() != '/')
    file = fmt::format("{}/{}", directory.empty() ? std::string_view(".") : directory, file);
  std::string error;
  if (const auto fate = rehearse(name, file, settings)) error = *fate;
  std::unique_ptr<Detector> detector;
  if (error.empty()) detector = create(name, file, settings, error);
  if (!error.empty()) settings.error("plugin", fmt::format("{}: {}", file, error));
  return detector;
}

}  // namespace lapwing::detectors
