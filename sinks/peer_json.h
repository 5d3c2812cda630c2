// The state of neighbours, sinks and the program as JSON.
// Thread: any.
#pragma once

#include <span>
#include <string>

#include "lapwing/reader.h"
#include "lapwing/sink.h"
#include "sinks/json_object.h"
#include "sinks/program.h"

namespace lapwing::sinks {

/// Members in this order: name, address, port, as, local_as, description, state, since, last_heard,
/// router_id, hold_time, families, capabilities, routes, stale, updates_received,
/// messages_received, messages_sent, malformed, established, last_error, enabled. `since`,
/// `last_heard` and `router_id` are null where there is none.
void append_peer_json(std::string& out, const PeerStatus& peer);

/// The member "sinks": name, state, cursor, waiting (events up to `last`), delivered, retries,
/// last_error.
void append_sinks_member(std::string& out, JsonObject& object, std::span<const SinkStatus> sinks,
                         std::uint64_t last);

/// The answer of /api/v1/status.
void append_status_json(std::string& out, const Program& program, const Status& status,
                        std::span<const SinkStatus> sinks);

}  // namespace lapwing::sinks
