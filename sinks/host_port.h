// "host", "host:port", "[2001:db8::1]:port": the middle of a target or a URL; and our own host.
//
// Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace lapwing::sinks {

/// False where the text is none. `host` comes without brackets; `port` stays where none is given.
bool parse_host_port(std::string_view text, std::string& host, std::string& port);

/// What the kernel calls this host; empty where it cannot say.
std::string local_hostname();

}  // namespace lapwing::sinks
