#include "sinks/registry.h"

#include "sinks/journald_sink.h"
#include "sinks/jsonl_sink.h"
#include "sinks/syslog_sink.h"
#include "sinks/webhook_sink.h"

namespace lapwing::sinks {

namespace {

struct Kind {
  std::string_view name;
  std::unique_ptr<Sink> (*make)(Settings&, boost::asio::io_context&, const Program&);
};

constexpr Kind kKinds[] = {
    {"syslog", make_syslog_sink},
    {"jsonl", make_jsonl_sink},
    {"stdout", make_stdout_sink},
    {"journald", make_journald_sink},
    {"webhook", make_webhook_sink},
};

}  // namespace

std::unique_ptr<Sink> make_sink(std::string_view kind, Settings& settings,
                                boost::asio::io_context& io, const Program& program) {
  for (const Kind& known : kKinds)
    if (known.name == kind) return known.make(settings, io, program);
  return nullptr;
}

std::vector<std::string_view> sink_kinds() {
  std::vector<std::string_view> names;
  for (const Kind& known : kKinds) names.push_back(known.name);
  return names;
}

}  // namespace lapwing::sinks
