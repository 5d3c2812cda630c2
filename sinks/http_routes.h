// GET /api/v1/routes: pages of routes as JSON, all of them as NDJSON, or their number.
// Thread: the server's worker.
#pragma once

#include "sinks/http_request.h"

namespace lapwing::sinks {

HttpResponse get_routes(const HttpContext& context, const HttpRequest& request);

}  // namespace lapwing::sinks
