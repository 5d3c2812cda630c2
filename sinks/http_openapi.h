// The description of the API, OpenAPI 3.1: sinks/openapi.json, built into the program.
#pragma once

#include <string_view>

namespace lapwing::sinks {

extern const std::string_view kOpenApi;

}  // namespace lapwing::sinks
