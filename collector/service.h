// Tells the service manager how we are: the datagrams of sd_notify(3), without its library.
//
// Where NOTIFY_SOCKET is not set nothing is sent.
// Thread: any.
#pragma once

#include <string_view>

namespace lapwing::collector {

/// "READY=1", "STATUS=…", "STOPPING=1", "WATCHDOG=1"; several are joined by line breaks.
void notify_service_manager(std::string_view state);

}  // namespace lapwing::collector
