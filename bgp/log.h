// Where the session part writes its log lines.
//
// Thread: called on the io thread; the function must not block.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace lapwing::bgp {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kNotice, kWarning, kError };

/// `neighbor` is the configured name, or empty where a line concerns the speaker as a whole.
using LogFunction =
    std::function<void(LogLevel level, std::string_view neighbor, std::string message)>;

}  // namespace lapwing::bgp
