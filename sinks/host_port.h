// "host", "host:port", "[2001:db8::1]:port": the middle of a target or a URL.
//
// Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace lapwing::sinks {

/// False where the text is none. `host` comes without brackets; `port` stays where none is given.
bool parse_host_port(std::string_view text, std::string& host, std::string& port);

}  // namespace lapwing::sinks
