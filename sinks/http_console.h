// The console: one static page, sinks/console.html, built into the program. It holds no data; it
// asks the API for them, with a token that its reader gives it where there is one.
// Thread: any.
#pragma once

#include <string_view>

#include "sinks/http_request.h"

namespace lapwing::sinks {

extern const std::string_view kConsole;

/// GET /: the page, with a policy (CSP level 3) under which nothing runs but the script that it
/// has, by its hash, and nothing is loaded but this API's answers.
HttpResponse get_console(const HttpContext& context, const HttpRequest& request);

}  // namespace lapwing::sinks
