#include "collector/mrt_collectors.h"

#include <chrono>
#include <filesystem>
#include <system_error>
#include <vector>

#include "bgp/mrt.h"
#include "collector/input_file.h"

namespace lapwing::collector {

namespace mrt = bgp::mrt;

namespace {

void note_record(const mrt::RecordView& record, FileHead& head) {
  if (record.type == mrt::type::kTableDumpV2 &&
      record.subtype == mrt::table_dump_v2::kPeerIndexTable && !head.id) {
    mrt::PeerIndexTable index;
    if (!mrt::parse_peer_index_table(record.body, index)) head.id = known(index.collector_id);
  } else if (record.type == mrt::type::kBgp4mp && mrt::is_bgp4mp_subtype(record.subtype)) {
    mrt::Bgp4mp message;
    if (!mrt::parse_bgp4mp(record, message) && known(message.local))
      head.locals.insert(message.local);
  }
}

}  // namespace

CollectorId known(const IpAddress& address) {
  return address.bytes == IpAddress{}.bytes ? std::nullopt : CollectorId(address);
}

FileHead head_of(const std::string& path) {
  FileHead head;
  InputFile file;
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed) || !file.open(path)) return head;
  std::vector<std::uint8_t> octets;
  while (octets.size() < InputFile::kBlockSize) {
    const Octets block = file.next_block();
    if (block.empty()) break;
    octets.insert(octets.end(), block.begin(), block.end());
  }
  Octets left = octets;
  while (left.size() >= mrt::kHeaderSize) {
    const mrt::Header header = mrt::read_header(left.data());
    if (left.size() == octets.size()) head.time = Timestamp(std::chrono::seconds(header.seconds));
    left = left.subspan(mrt::kHeaderSize);
    if (header.length > left.size()) break;
    mrt::RecordView record;
    if (!mrt::open_record(header, left.first(header.length), record)) note_record(record, head);
    left = left.subspan(header.length);
  }
  return head;
}

void Collectors::note(std::span<FileHead> heads) {
  for (const FileHead& head : heads)
    if (head.id) ids_.insert(*head.id);
  for (FileHead& head : heads)
    for (const IpAddress& local : head.locals)
      if (!head.id && ids_.contains(local)) head.id = local;
  for (const FileHead& head : heads) {
    if (!head.id) continue;
    for (const IpAddress& local : head.locals) {
      id_of_local_.emplace(local, *head.id);
      addressed_.emplace(*head.id, local.version);
    }
  }
  for (FileHead& head : heads) {
    if (head.id || head.locals.empty()) continue;
    head.id = id_at(*head.locals.begin());
    for (const IpAddress& local : head.locals) {
      const auto [at, added] = id_of_local_.emplace(local, *head.id);
      if (!added) join(at->second, *head.id);
    }
  }
}

IpAddress Collectors::id_at(const IpAddress& local) {
  if (ids_.contains(local)) return local;
  return id_of_local_.emplace(local, local).first->second;
}

void Collectors::add(const IpAddress& id, const CollectorId& before) {
  ids_.insert(id);
  if (before) join(id, *before);
}

CollectorId Collectors::canonical(const CollectorId& id) const {
  if (!id) return id;
  IpAddress at = *id;
  for (auto next = joined_.find(at); next != joined_.end(); next = joined_.find(at))
    at = next->second;
  return at;
}

void Collectors::join(const IpAddress& a, const IpAddress& b) {
  IpAddress into = *canonical(a), from = *canonical(b);
  if (into == from) return;
  if (ids_.contains(from)) std::swap(into, from);
  if (ids_.contains(from)) return;
  joined_.emplace(from, into);
  addressed_.emplace(into, from.version);
}

/// An ID that is an address of its collector stands for itself: no other IPv4 address goes to it.
bool Collectors::may_be(const CollectorId& a, const CollectorId& b) const {
  if (!a || !b) return true;
  const bool is_id = ids_.contains(*a);
  if (is_id == ids_.contains(*b)) return false;
  const IpAddress& id = is_id ? *a : *b;
  const IpAddress& address = is_id ? *b : *a;
  return address.version != IpVersion::kV4 || !id_of_local_.contains(id);
}

bool Collectors::has_address(const CollectorId& a, const CollectorId& b) const {
  return a && b && (addressed_.contains({*a, b->version}) || addressed_.contains({*b, a->version}));
}

std::optional<std::size_t> Collectors::choose(std::span<const CollectorId> neighbors,
                                              const CollectorId& id, bool& in_doubt) const {
  for (const bool addressed : {false, true}) {
    std::optional<std::size_t> first;
    for (std::size_t i = 0; i < neighbors.size(); ++i) {
      if (!may_be(neighbors[i], id) || has_address(neighbors[i], id) != addressed) continue;
      in_doubt = in_doubt || first.has_value();
      if (!first) first = i;
    }
    if (first) return first;
  }
  return std::nullopt;
}

}  // namespace lapwing::collector
