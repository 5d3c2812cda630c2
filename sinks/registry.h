// The kinds of sinks: makes one from its table of the configuration.
//
// A further kind is one more line in registry.cc. Errors of the settings are noted in them; the
// caller calls `Settings::finish`.
// Thread: main, before the sinks' thread starts.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "lapwing/settings.h"
#include "lapwing/sink.h"
#include "sinks/program.h"

namespace boost::asio {
class io_context;
}

namespace lapwing::sinks {

/// nullptr: no such kind, or settings with which no sink can be made (then they hold an error).
std::unique_ptr<Sink> make_sink(std::string_view kind, Settings& settings,
                                boost::asio::io_context& io, const Program& program);
std::vector<std::string_view> sink_kinds();

}  // namespace lapwing::sinks
