// The API's JSON as tables for a terminal, one function for each subject of `lapwing show`.
//
// Each takes the body of a reply and returns the text to print; nullopt when the body is not what
// the API promises. Members that are missing are shown as "-": an older or newer daemon can be
// read. Times are UTC, ages are durations up to `Screen::now`.
// Thread: main.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lapwing/time.h"

namespace lapwing::collector {

struct Screen {
  unsigned width = 0;  // characters; 0: no limit
  Timestamp now;
};

using Shown = std::optional<std::string>;

Shown show_status(std::string_view body);
Shown show_peers(std::string_view body, const Screen& screen);
Shown show_peer(std::string_view body, const Screen& screen);
Shown show_routes(std::string_view body, const Screen& screen);
Shown show_upstreams(std::string_view body, const Screen& screen);
Shown show_events(std::string_view body, const Screen& screen);
/// One event as one line, for `lapwing monitor`.
Shown show_event_line(std::string_view event);

/// True when the list `member` of the body, or the body as a list, is empty: nothing was found.
bool is_empty_answer(std::string_view body, std::string_view member);

/// "title: detail" of an application/problem+json body (RFC 9457), or "HTTP status 500".
std::string problem_text(unsigned status, std::string_view body);

/// "59s", "12m05s", "3h07m", "2d04h", "412d".
std::string format_age(std::chrono::seconds age);

}  // namespace lapwing::collector
