// Writes what one session hears as MRT records, beside the records that the engine gets of it.
//
// The octets go into `RecordBatch::recording` of the batch that carries the same to the engine, so the
// recording has the engine's order, also when a full queue makes one session wait for another. A
// session begins with both OPENs (ours as sent by the collector) and a STATE_CHANGE, and ends with the
// reason, as a mark, and a STATE_CHANGE. An End-of-RIB that the session makes for a quiet neighbour is
// written as if the neighbour had sent it: a replay must not have to guess.
// Thread: the io thread. Owns: the ends of the present session.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bgp/connection.h"
#include "bgp/message.h"
#include "bgp/mrt_encode.h"
#include "bgp/record.h"
#include "lapwing/time.h"

namespace lapwing::bgp {

class SessionRecorder {
 public:
  /// The neighbour as it is declared to the engine.
  void declare(const PeerDetail& detail, const IpAddress& router_id, Timestamp time,
               std::vector<std::uint8_t>& out) const;
  void up(const Connection& connection, const NeighborConfig& config, Timestamp time,
          std::vector<std::uint8_t>& out);
  void down(const Connection& connection, std::string_view reason, Timestamp time,
            std::vector<std::uint8_t>& out) const;
  /// What was made of the message tells whether it has path identifiers.
  void message(const Connection& connection, MessageType type, Octets body, Timestamp time,
               const RecordBatch& batch, std::size_t first_record,
               std::vector<std::uint8_t>& out) const;
  /// Of a message that no records were made of.
  void message(const Connection& connection, MessageType type, Octets body, Timestamp time,
               std::vector<std::uint8_t>& out) const;
  void end_of_rib(const Connection& connection, Family family, Timestamp time,
                  std::vector<std::uint8_t>& out) const;

 private:
  mrt::SessionEnds ends_;
};

}  // namespace lapwing::bgp
