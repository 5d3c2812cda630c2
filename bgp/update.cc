#include "bgp/update.h"

#include <algorithm>
#include <tuple>

#include "bgp/hash.h"
#include "bgp/wire.h"

namespace lapwing::bgp {

namespace {

constexpr std::uint8_t kTypes[] = {0, attribute::kOrigin, attribute::kAsPath, attribute::kNextHop};

Finding missing(std::uint8_t type) {
  return {ErrorAction::kTreatAsWithdraw,
          type,
          error::kMissingWellKnown,
          "mandatory attribute is missing",
          "RFC 7606 3 (d)",
          Octets(&kTypes[type], 1)};
}

bool less(const NlriKey& a, const NlriKey& b) {
  return std::tie(a.high, a.low, a.rd, a.path_id, a.afi, a.safi, a.length, a.has_path_id) <
         std::tie(b.high, b.low, b.rd, b.path_id, b.afi, b.safi, b.length, b.has_path_id);
}

}  // namespace

ErrorAction Update::parse(Octets body, const SessionParameters& session) {
  findings_.clear();
  ignored_families_ = 0;
  end_of_rib_ = false;
  const bool path_ids = session.add_path.contains(kIpv4Unicast);
  withdrawn_ = announced_ = {kIpv4Unicast, path_ids, {}, 0};

  Cursor in(body);
  withdrawn_.octets = in.take(in.u16());
  block_ = in.take(in.u16());
  if (!in.ok()) {
    withdrawn_.octets = block_ = {};
    attributes_.parse(block_, session, MpReachForm::kFull, findings_);
    findings_.add({ErrorAction::kSessionReset, 0, error::kMalformedAttributeList,
                   "a length goes beyond the message", "RFC 7606 3 (b)", body});
    return action();
  }
  announced_.octets = in.rest();

  attributes_.parse(block_, session, MpReachForm::kFull, findings_);
  const bool ipv4 = session.families.contains(kIpv4Unicast);
  for (NlriRange* range : {&withdrawn_, &announced_}) {
    if (!ipv4) {
      ignored_families_ += range->octets.empty() ? 0 : 1;
    } else if (!check_nlri(*range)) {
      range->count = 0;
      findings_.add({ErrorAction::kSessionReset, 0, error::kInvalidNetwork, "NLRI cannot be read",
                     "RFC 7606 3 (j)", range->octets});
    }
  }
  ignored_families_ += attributes_.reach().ignored ? 1 : 0;
  ignored_families_ += attributes_.unreach().ignored ? 1 : 0;
  find_message_errors();
  find_end_of_rib(body, session);
  return action();
}

void Update::find_message_errors() {
  const bool reaches = announced_.count != 0 || attributes_.reach().nlri.count != 0;
  if (reaches) {
    for (const std::uint8_t type : {attribute::kOrigin, attribute::kAsPath})
      if (!attributes_.has(type)) findings_.add(missing(type));
  }
  if (announced_.count != 0) {
    if (!attributes_.has(attribute::kNextHop))
      findings_.add(missing(attribute::kNextHop));
    else if (!attributes_.next_hop_usable())
      findings_.add({ErrorAction::kTreatAsWithdraw, attribute::kNextHop, error::kInvalidNextHop,
                     "unusable next hop", "RFC 4271 6.3", block_});
  }
  // RFC 7606 5.2: with nothing announced we cannot be sure to have found the NLRI. NLRI that we
  // ignore are NLRI all the same.
  constexpr std::size_t kJunk = 3;
  const bool encodes_reachable = !announced_.octets.empty() || attributes_.reach().present;
  const bool others = attributes_.seen() > (attributes_.unreach().present ? 1u : 0u);
  if (action() == ErrorAction::kTreatAsWithdraw && !encodes_reachable && others &&
      block_.size() > kJunk) {
    Finding finding = findings_.strongest();
    finding.action = ErrorAction::kSessionReset;
    finding.reason = "attribute error in a message that announces nothing";
    finding.rfc = "RFC 7606 5.2";
    findings_.add(finding);
  }
}

void Update::find_end_of_rib(Octets body, const SessionParameters& session) {
  if (!withdrawn_.octets.empty() || !announced_.octets.empty() || !findings_.empty()) return;
  if (body.size() == 4) {
    end_of_rib_ = session.families.contains(kIpv4Unicast);
    end_of_rib_family_ = kIpv4Unicast;
    return;
  }
  const MpAttribute& unreach = attributes_.unreach();
  if (attributes_.seen() != 1 || !unreach.present || unreach.ignored || unreach.nlri.count != 0)
    return;
  end_of_rib_ = true;
  end_of_rib_family_ = unreach.nlri.family;
}

Notification Update::notification() const {
  const Finding& cause = findings_.strongest();
  Octets data;
  switch (cause.subcode) {
    case error::kUnrecognizedWellKnown:
    case error::kMissingWellKnown:
    case error::kAttributeFlags:
    case error::kAttributeLength:
    case error::kInvalidOrigin:
    case error::kInvalidNextHop:
    case error::kOptionalAttribute:
      data = cause.octets;
      break;
    default:
      break;  // RFC 4271 6.3 gives no data
  }
  return {error::kUpdate, cause.subcode, data};
}

unsigned Update::append_records(Timestamp time, std::uint32_t peer, RecordBatch& batch) {
  if (action() == ErrorAction::kSessionReset) return 0;
  if (end_of_rib_) {
    batch.add_mark(time, peer, RecordKind::kEndOfRib, end_of_rib_family_);
    return 1;
  }
  const NlriRange& reach = attributes_.reach().nlri;
  Record record;
  record.time = time;
  record.peer = peer;
  record.kind = RecordKind::kUpdate;
  record.nlri_at = static_cast<std::uint32_t>(batch.nlri.size());
  append_nlri(withdrawn_, batch.nlri);
  append_nlri(attributes_.unreach().nlri, batch.nlri);
  const auto since = [&batch](std::uint32_t at) {
    return static_cast<std::uint32_t>(batch.nlri.size()) - at;
  };
  const std::uint32_t announced = announced_.count + reach.count;
  if (announced == 0 || action() == ErrorAction::kTreatAsWithdraw) {
    append_nlri(announced_, batch.nlri);
    append_nlri(reach, batch.nlri);
    record.withdrawn = since(record.nlri_at);
    if (record.withdrawn == 0) return 0;
    batch.records.push_back(record);
    return 1;
  }
  record.withdrawn = since(record.nlri_at);
  append_nlri(announced_, batch.nlri);
  append_nlri(reach, batch.nlri);
  if (record.withdrawn != 0) drop_reannounced(record, announced, batch);
  return append_announcements(record, batch);
}

unsigned Update::append_announcements(Record record, RecordBatch& batch) const {
  const NlriRange& reach = attributes_.reach().nlri;
  const auto push = [&batch, &record](const AttributeSet& attributes, Octets next_hop,
                                      std::uint32_t announced, bool last) {
    record.attributes_at = static_cast<std::uint32_t>(batch.octets.size());
    attributes.append_canonical(next_hop, batch.octets);
    record.attributes_size = static_cast<std::uint32_t>(batch.octets.size()) - record.attributes_at;
    record.attributes_hash = hash_octets(hash_seed(), batch.attributes(record));
    record.announced = announced;
    record.last_of_message = last;
    batch.records.push_back(record);
    record.nlri_at += record.withdrawn + announced;
    record.withdrawn = 0;
  };
  unsigned records = 0;
  if (announced_.count != 0) {
    const RawAttribute& next_hop = attributes_.raw(attribute::kNextHop);
    push(attributes_, {next_hop.value, next_hop.size}, announced_.count, reach.count == 0);
    ++records;
  }
  if (reach.count != 0) {
    push(attributes_, attributes_.reach().next_hop(), reach.count, true);
    ++records;
  }
  return records;
}

void Update::drop_reannounced(Record& record, std::uint32_t announced, RecordBatch& batch) {
  const auto first = batch.nlri.begin() + record.nlri_at;
  const auto middle = first + record.withdrawn;
  const auto drop = [&](auto is_announced) {
    const auto kept = std::remove_if(first, middle, is_announced);
    const auto dropped = static_cast<std::uint32_t>(middle - kept);
    batch.nlri.erase(kept, middle);
    record.withdrawn -= dropped;
  };
  constexpr std::uint64_t kFew = 256;
  if (std::uint64_t{record.withdrawn} * announced <= kFew) {
    drop([&](const NlriKey& key) {
      return std::find(middle, batch.nlri.end(), key) != batch.nlri.end();
    });
    return;
  }
  sorted_.assign(middle, batch.nlri.end());
  std::sort(sorted_.begin(), sorted_.end(), less);
  drop([&](const NlriKey& key) {
    return std::binary_search(sorted_.begin(), sorted_.end(), key, less);
  });
}

}  // namespace lapwing::bgp
