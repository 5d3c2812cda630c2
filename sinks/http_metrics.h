// The state of the program in Prometheus' text format 0.0.4, for GET /metrics.
// Thread: the server's worker.
#pragma once

#include "sinks/http_request.h"

namespace lapwing::sinks {

HttpResponse get_metrics(const HttpContext& context, const HttpRequest& request);

}  // namespace lapwing::sinks
