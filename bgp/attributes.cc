#include "bgp/attributes.h"

#include <bit>
#include <cstring>

#include "bgp/as_path.h"
#include "bgp/attribute_table.h"
#include "bgp/notification.h"
#include "bgp/wire.h"

namespace lapwing::bgp {

namespace {

std::uint8_t* put_copy(std::uint8_t* out, const std::uint8_t* data, std::size_t size) {
  std::memcpy(out, data, size);
  return out + size;
}

bool is_mp(std::uint8_t type) {
  return type == attribute::kMpReachNlri || type == attribute::kMpUnreachNlri;
}

/// Where the last attribute does not fit its block (RFC 7606 4).
Finding overrun(Octets octets, bool has_type, std::uint8_t type) {
  Finding finding;
  finding.type = has_type ? type : std::uint8_t{0};
  finding.octets = octets;
  finding.subcode = error::kMalformedAttributeList;
  finding.action = ErrorAction::kTreatAsWithdraw;
  finding.reason = has_type ? "longer than the block of attributes" : "stray octets at the end";
  finding.rfc = "RFC 7606 4";
  if (has_type && is_mp(type)) {
    finding.action = ErrorAction::kSessionReset;
    finding.rfc = "RFC 7606 3 (j)";
  }
  return finding;
}

/// True where `judge_header` would find nothing: the way of nearly every attribute.
bool is_plain(const AttributeRule& rule, std::uint8_t flags, std::uint32_t size) {
  return ((flags ^ rule.flags) & (kOptional | kTransitive)) == 0 && size >= rule.min &&
         size <= rule.max && (rule.multiple == 1 || size % rule.multiple == 0) &&
         !rule.depends_on_session;
}

/// What the row says of flags and length; kNone: nothing wrong. The value is not looked at.
Verdict judge_header(const AttributeRule& rule, std::uint8_t flags, std::size_t size,
                     const SessionParameters& session) {
  const bool internal = session.kind == PeerKind::kInternal;
  const bool as4 = rule.type == attribute::kAs4Path || rule.type == attribute::kAs4Aggregator;
  if (session.kind == PeerKind::kExternal && rule.depends_on_session && !as4 &&
      !(session.confederation && rule.type == attribute::kLocalPref))
    return {ErrorAction::kAttributeDiscard, error::kMalformedAttributeList,
            "not for an external neighbour", rule.rfc};
  if (as4 && session.four_octet_as)
    return {ErrorAction::kAttributeDiscard, error::kMalformedAttributeList,
            "not on a session with 4-octet ASNs", "RFC 6793 4.1"};
  if (((flags ^ rule.flags) & (kOptional | kTransitive)) != 0) {
    if (rule.wrong_flags != ErrorAction::kNone)
      return {rule.wrong_flags, error::kAttributeFlags, "wrong Optional or Transitive flag",
              "RFC 7606 3 (c)"};
    if ((flags & kOptional) == 0)
      return {ErrorAction::kTreatAsWithdraw, error::kUnrecognizedWellKnown,
              "unrecognized well-known attribute", "RFC 7606 3 (c)"};
  }
  if (size < rule.min || size > rule.max || (rule.multiple > 1 && size % rule.multiple != 0))
    return {internal ? rule.internal : rule.external, error::kAttributeLength, "wrong length",
            rule.rfc};
  return {};
}

Finding to_finding(const Verdict& verdict, std::uint8_t type, Octets octets) {
  Finding finding;
  finding.action = verdict.action;
  finding.type = type;
  finding.subcode = verdict.subcode;
  finding.reason = verdict.reason;
  finding.rfc = verdict.rfc;
  finding.octets = octets;
  return finding;
}

}  // namespace

std::string_view to_string(ErrorAction action) {
  switch (action) {
    case ErrorAction::kNone:
      return "none";
    case ErrorAction::kAttributeDiscard:
      return "attribute discard";
    case ErrorAction::kTreatAsWithdraw:
      return "treat as withdraw";
    case ErrorAction::kSessionReset:
      return "session reset";
  }
  return "";
}

void Findings::add(const Finding& finding) {
  if (finding.action > strongest_.action) strongest_ = finding;
  if (kept_ < kMax) list_[kept_++] = finding;
  ++total_;
}

void AttributeSet::reset(std::size_t octets, const SessionParameters& session) {
  seen_bits_ = {};
  present_ = {};
  octets_ = octets;
  for (MpAttribute* mp : {&reach_, &unreach_}) {
    mp->present = mp->ignored = false;
    mp->nlri = {};
    mp->next_hop_size = 0;
  }
  hops_ = as4_hops_ = 0;
  seen_ = unknown_kept_ = unknown_ignored_ = 0;
  as_width_ = session.four_octet_as ? 4 : 2;
  notes_ = 0;
  next_hop_usable_ = true;
  use_as4_path_ = use_as4_aggregator_ = false;
}

void AttributeSet::parse(Octets octets, const SessionParameters& session, MpReachForm form,
                         Findings& findings) {
  reset(octets.size(), session);
  AttributeWalk walk{session, form, *this};
  Cursor in(octets);
  while (!in.empty()) {
    const std::uint8_t* start = in.at();
    const std::uint8_t flags = in.u8();
    const std::uint8_t type = in.u8();
    const std::size_t size = (flags & kExtendedLength) != 0 ? in.u16() : in.u8();
    const bool has_header = in.ok();
    if (has_header) ++seen_;
    const Octets value = in.take(size);
    if (!in.ok()) {
      findings.add(overrun({start, octets.data() + octets.size()}, has_header, type));
      break;
    }
    const Octets whole(start, in.at());
    if (test(seen_bits_, type)) {
      findings.add({is_mp(type) ? ErrorAction::kSessionReset : ErrorAction::kAttributeDiscard, type,
                    error::kMalformedAttributeList, "attribute is there twice", "RFC 7606 3 (g)",
                    whole});
      continue;
    }
    set(seen_bits_, type);
    if (const AttributeRule* rule = attribute_rule(type); rule != nullptr) {
      Verdict verdict;
      if (!is_plain(*rule, flags, static_cast<std::uint32_t>(value.size())))
        verdict = judge_header(*rule, flags, value.size(), session);
      if (verdict.action != ErrorAction::kNone) findings.add(to_finding(verdict, type, whole));
      // NLRI must be found even when the attribute around them is wrong (RFC 7606 3 j).
      if (rule->check != nullptr && (verdict.action == ErrorAction::kNone || is_mp(type))) {
        verdict = rule->check(walk, value);
        if (verdict.action != ErrorAction::kNone) findings.add(to_finding(verdict, type, whole));
      }
      if (verdict.action != ErrorAction::kNone) continue;
    } else if ((flags & kOptional) == 0) {
      findings.add({ErrorAction::kTreatAsWithdraw, type, error::kUnrecognizedWellKnown,
                    "unrecognized well-known attribute", "RFC 7606 3 (c)", whole});
      continue;
    } else if ((flags & kTransitive) == 0) {
      ++unknown_ignored_;
      continue;
    } else {
      ++unknown_kept_;
    }
    set(present_, type);
    raw_[type] = {value.data(), static_cast<std::uint16_t>(value.size()), flags};
  }
  if (!session.four_octet_as) settle_four_octet_as();
}

void AttributeSet::settle_four_octet_as() {
  use_as4_path_ = has(attribute::kAs4Path) && has(attribute::kAsPath);
  if (has(attribute::kAs4Aggregator) && has(attribute::kAggregator)) {
    // RFC 6793 4.2.3: another AS than AS_TRANS means that an old speaker has aggregated since.
    use_as4_aggregator_ = read_u16(raw_[attribute::kAggregator].value) == kAsTrans;
    use_as4_path_ = use_as4_path_ && use_as4_aggregator_;
  }
  if (as4_hops_ > hops_) use_as4_path_ = false;
  if (has(attribute::kAs4Path) && !use_as4_path_) notes_ |= note::kAs4PathIgnored;
}

std::uint8_t* AttributeSet::write_as_path_value(std::uint8_t* out) const {
  const RawAttribute& path = raw_[attribute::kAsPath];
  const Octets octets(path.value, path.size);
  // One octet of length will do for most; a longer value moves up.
  std::uint8_t* value = out + 1;
  std::uint8_t* end = nullptr;
  if (use_as4_path_) {
    const RawAttribute& as4 = raw_[attribute::kAs4Path];
    end = write_merged_as_path(octets, hops_, {as4.value, as4.size}, as4_hops_, value);
  } else {
    end = write_as_path(octets, as_width_, value);
  }
  const auto size = static_cast<std::size_t>(end - value);
  const std::size_t extra = varint_size(size) - 1;
  if (extra != 0) std::memmove(value + extra, value, size);
  write_varint(out, size);
  return end + extra;
}

std::uint8_t* AttributeSet::write(std::uint8_t type, std::uint8_t* out) const {
  const RawAttribute& raw = raw_[type];
  *out++ = type;
  if (type == attribute::kAsPath) return write_as_path_value(out);
  if (type == attribute::kAggregator && as_width_ == 2) {
    *out++ = 8;
    if (use_as4_aggregator_) return put_copy(out, raw_[attribute::kAs4Aggregator].value, 8);
    *out++ = 0;
    *out++ = 0;
    return put_copy(out, raw.value, 6);
  }
  if (has_bare_value(type)) {
    out = write_varint(out, raw.size);
    return put_copy(out, raw.value, raw.size);
  }
  out = write_varint(out, std::size_t{raw.size} + 1);
  *out++ = static_cast<std::uint8_t>(raw.flags & (kOptional | kTransitive | kPartial));
  return put_copy(out, raw.value, raw.size);
}

void AttributeSet::append_canonical(Octets next_hop, std::vector<std::uint8_t>& out) const {
  // An entry needs no more than its attribute did, except ASNs (5 octets for 4, 3 for 2), which
  // as_path_bound covers, a 16-octet next hop and a wide AGGREGATOR, which the 64 cover.
  const std::size_t bound = as_path_bound(octets_, 0) + 64;
  constexpr std::size_t kMost = 1024;
  if (bound <= kMost) {  // nearly every one: a vector would be filled with zeros first
    std::uint8_t canonical[kMost];
    out.insert(out.end(), canonical, write_canonical(next_hop, canonical));
    return;
  }
  const std::size_t first = out.size();
  out.resize(first + bound);
  const std::uint8_t* const end = write_canonical(next_hop, out.data() + first);
  out.resize(static_cast<std::size_t>(end - out.data()));
}

std::uint8_t* AttributeSet::write_canonical(Octets next_hop, std::uint8_t* p) const {
  Bits left = present_;
  const std::uint64_t never =
      std::uint64_t{1} << attribute::kMpReachNlri | std::uint64_t{1} << attribute::kMpUnreachNlri |
      std::uint64_t{1} << attribute::kAs4Path | std::uint64_t{1} << attribute::kAs4Aggregator |
      std::uint64_t{1} << attribute::kNextHop;
  left[0] &= ~never;
  if (!next_hop.empty()) left[0] |= std::uint64_t{1} << attribute::kNextHop;
  for (unsigned word = 0; word < left.size(); ++word) {
    for (std::uint64_t bits = left[word]; bits != 0; bits &= bits - 1) {
      const auto bit = static_cast<unsigned>(std::countr_zero(bits));
      const auto type = static_cast<std::uint8_t>(word * 64 + bit);
      if (type == attribute::kNextHop) {
        *p++ = type;
        *p++ = static_cast<std::uint8_t>(next_hop.size());
        p = put_copy(p, next_hop.data(), next_hop.size());
      } else {
        p = write(type, p);
      }
    }
  }
  return p;
}

ErrorAction append_attributes(Octets attributes, const SessionParameters& session, MpReachForm form,
                              std::vector<std::uint8_t>& out, Findings& findings) {
  AttributeSet set;
  findings.clear();
  set.parse(attributes, session, form, findings);
  if (findings.action() >= ErrorAction::kTreatAsWithdraw) return findings.action();
  Octets next_hop = set.reach().next_hop();
  if (next_hop.empty() && set.has(attribute::kNextHop)) {
    const RawAttribute& raw = set.raw(attribute::kNextHop);
    next_hop = {raw.value, raw.size};
  }
  set.append_canonical(next_hop, out);
  return findings.action();
}

}  // namespace lapwing::bgp
