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
#include <vector>

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
Shown show_history(std::string_view body, const Screen& screen);
Shown show_blind(std::string_view body, const Screen& screen);
Shown show_sinks(std::string_view body, const Screen& screen);
Shown show_detectors(std::string_view body, const Screen& screen);
Shown show_suppressed(std::string_view body, const Screen& screen);
/// One change of a route as one line, for `lapwing monitor updates`.
Shown show_update_line(std::string_view update);
/// What a write did: a sentence, and what was changed.
std::string show_done(std::string_view body);
/// Why a write was refused, with all errors of a configuration.
std::string show_problem(unsigned status, std::string_view body);
/// {"text":…}, or nothing where there is none.
std::string text_body(std::string_view text);
/// The member "name" of each object in the list.
std::vector<std::string> names_of(std::string_view body, std::string_view member);
/// One event as one line, for `lapwing monitor`.
Shown show_event_line(std::string_view event);

/// True when the list `member` of the body, or the body as a list, is empty: nothing was found.
bool is_empty_answer(std::string_view body, std::string_view member);

/// "title: detail" of an application/problem+json body (RFC 9457), or "HTTP status 500".
std::string problem_text(unsigned status, std::string_view body);

/// "59s", "12m05s", "3h07m", "2d04h", "412d".
std::string format_age(std::chrono::seconds age);

}  // namespace lapwing::collector
