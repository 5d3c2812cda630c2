// The state of the program for GET /metrics: Prometheus' text format 0.0.4, or OpenMetrics 1.0 where
// the client takes it.
// Thread: the server's worker.
#pragma once

#include "sinks/http_request.h"

namespace lapwing::sinks {

HttpResponse get_metrics(const HttpContext& context, const HttpRequest& request);

}  // namespace lapwing::sinks
