// Which origins a prefix lost, and when: the last ones of all prefixes, bounded.
//
// It is stored in pieces of kPiece entries, in the order in which they came, so that a change costs the
// piece in which it is.
// Prefixes leave by the hundred thousand and few come back: `remember` only appends. What was
// appended is indexed when something is looked for. The newest entry of a prefix and origin counts.
// Thread: engine. Owns: its entries, some 64 octets each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lapwing/prefix.h"
#include "lapwing/sort_unique.h"
#include "lapwing/time.h"

namespace lapwing::detectors {

class PastOrigins {
 public:
  struct Past {
    Timestamp left;
    std::uint32_t times = 0;
    bool raised = false;  // its coming was an event; so is its coming back
  };

  /// `limit` entries are kept, the newest.
  explicit PastOrigins(std::size_t limit) : limit_(limit) {}

  /// `past.left` is not earlier than that of any entry before.
  void remember(const Nlri& nlri, Asn origin, const Past& past);
  /// Takes it out; nullopt where it is not remembered.
  std::optional<Past> take(const Nlri& nlri, Asn origin);
  /// The origin that left the prefix last; of two at one moment the smaller AS.
  std::optional<Asn> last_origin(const Nlri& nlri);

  /// From now on it notes which pieces change.
  void keep_track() { tracked_ = true; }
  bool changed() const { return !changed_.empty(); }
  /// `store(number, value)` for each piece that changed since the last call, ascending; an empty value:
  /// nothing is left of it.
  template <typename Store>
  void store_changed(Store&& store) {
    sort_unique(changed_);
    for (const std::uint32_t piece : changed_) store(piece, encode(piece));
    changed_.clear();
  }
  /// Pieces come ascending. False: the value is damaged or of a newer format.
  bool restore(std::uint32_t piece, std::string_view value);

 private:
  struct Entry {
    Nlri nlri;
    Asn origin = 0;
    Past past;
    std::uint32_t older = kNone;  // of the same slot of the index
    bool taken = false;
  };
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::size_t kPiece = 16;

  std::uint32_t& slot(const Nlri& nlri);
  void index();
  void make_room();
  void note_change(std::size_t entry);
  std::string encode(std::uint32_t piece) const;

  std::size_t limit_;
  std::vector<Entry> entries_;        // as they came, at most twice the limit
  std::vector<std::uint32_t> slots_;  // newest entry by hash of the NLRI
  std::size_t indexed_ = 0;           // entries before this one are found by `slots_`
  bool tracked_ = false;
  std::vector<std::uint32_t> changed_;  // pieces
};

}  // namespace lapwing::detectors
