// What an operator may change in a running collector: sessions, and the configuration as a whole.
//
// Thread: any, but not the io or the engine thread; `reload` may take seconds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lapwing {

enum class PeerAction : std::uint8_t {
  kClear,    // Cease/4, then connects again
  kRefresh,  // ROUTE-REFRESH for all families (RFC 2918)
  kEnable,
  kDisable,  // Cease/2; lasts until `kEnable`, a changed configuration or the next start
};

struct ControlResult {
  enum class Kind : std::uint8_t {
    kDone,
    kUnknown,  // no neighbour has that name
    kRefused,  // it cannot be done now, or not like that; nothing was changed
  };
  Kind kind = Kind::kDone;
  std::string detail;              // one sentence for a person
  std::vector<std::string> lines;  // of a reload: diagnostics, or what was changed
};

class Control {
 public:
  virtual ~Control() = default;
  /// `text` is told to the neighbour (RFC 9003) by kClear and kDisable; at most 255 octets of UTF-8.
  virtual ControlResult peer(std::string_view name, PeerAction action, std::string_view text) = 0;
  /// Reads the configuration again. A file that is wrong, or that asks for what needs a restart,
  /// changes nothing.
  virtual ControlResult reload() = 0;
};

}  // namespace lapwing
