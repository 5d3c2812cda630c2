// One subscription of RIS Live: which messages a client wants.
//
// The members of `data` of a ris_subscribe; all that are there must be met, and null is as good as
// absent: `host`; `type`; `require`, a member that must be there; `peer`, an address; `path`, see
// RisPathPattern; `prefix`, one or several, met by an announcement or a withdrawal of any of them,
// of a more specific one unless `moreSpecific` is false, of a less specific one where `lessSpecific`
// is true; `socketOptions`. A message has no path where it only withdraws: it meets no `path`. What
// is unknown or malformed is an error: a filter that is not understood must not become "everything".
// `includeRaw` is refused where it is true: the octets of an UPDATE are not kept.
// Thread: any. Owns: its values.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/path.h"
#include "lapwing/prefix.h"
#include "sinks/ris_message.h"

namespace lapwing::sinks {

/// A message that filters look at; what many of them need is made once.
struct RisCandidate {
  explicit RisCandidate(RisChanges changes);
  RisChanges changes;
  std::optional<std::vector<RisHop>> path;  // none where it only withdraws, or is of a session
};

/// ASNs that follow each other on a path: "3333,1103"; "^3333" where it begins, "1103$" where it
/// ends, "!" in front for paths that do not have it; "[789,10111]" is an AS_SET with just these.
class RisPathPattern {
 public:
  /// nullopt where the text is none.
  static std::optional<RisPathPattern> parse(std::string_view text);
  bool matches(const std::vector<RisHop>& path) const;
  std::size_t size() const { return hops_.size(); }
  friend bool operator==(const RisPathPattern&, const RisPathPattern&) = default;

 private:
  static bool parse_hop(std::string_view& rest, RisHop& out);

  std::vector<RisHop> hops_;
  bool at_begin_ = false;
  bool at_end_ = false;
  bool inverted_ = false;
};

class RisFilter {
 public:
  /// The most prefixes of one filter.
  static constexpr std::size_t kMaxPrefixes = 10000;

  /// What is wrong with `data`; empty where nothing is. Null is everything.
  std::string read(const boost::json::value& data);
  bool matches(const RisCandidate& candidate, std::string_view host) const;
  bool acknowledge() const { return acknowledge_; }
  /// What it costs to keep and to match, in prefixes and hops; at least 1.
  std::size_t size() const;
  /// The same messages; `acknowledge` does not count.
  bool same_as(const RisFilter& other) const;

 private:
  std::string read_member(std::string_view name, const boost::json::value& value);
  std::string read_prefixes(const boost::json::value& value);
  std::string read_options(const boost::json::value& value);
  bool matches_prefix(RisChanges changes) const;

  std::optional<std::string> host_, type_, require_;
  std::optional<IpAddress> peer_;
  std::optional<RisPathPattern> path_;
  std::vector<Prefix> prefixes_;  // none: any
  bool more_specific_ = true;
  bool less_specific_ = false;
  bool acknowledge_ = false;
};

}  // namespace lapwing::sinks
