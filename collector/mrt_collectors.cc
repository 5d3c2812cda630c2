#include "collector/mrt_collectors.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <tuple>

#include "bgp/mrt_encode.h"
#include "collector/input_file.h"

namespace lapwing::collector {

namespace mrt = bgp::mrt;

namespace {

/// Zeros stand where the writer did not know.
bool is_known(const IpAddress& address) { return address.bytes != IpAddress{}.bytes; }

std::size_t shared(const std::set<IpAddress>& a, const std::set<IpAddress>& b) {
  return static_cast<std::size_t>(
      std::ranges::count_if(a, [&b](const IpAddress& one) { return b.contains(one); }));
}

/// A collector has one address of each version, as far as its neighbours are not told in one file.
bool share_version(const std::set<IpAddress>& a, const std::set<IpAddress>& b) {
  return std::ranges::any_of(a, [&b](const IpAddress& one) {
    return std::ranges::count(b, one.version, &IpAddress::version) != 0;
  });
}

void add_to(std::set<IpAddress>& all, const std::set<IpAddress>& more) {
  all.insert(more.begin(), more.end());
}

}  // namespace

void FileHead::note(const mrt::RecordView& record) {
  const auto add = [](std::set<IpAddress>& to, const IpAddress& address) {
    if (is_known(address)) to.insert(address);
  };
  if (record.type == mrt::type::kTableDumpV2 &&
      record.subtype == mrt::table_dump_v2::kPeerIndexTable) {
    mrt::PeerIndexTable index;
    if (mrt::parse_peer_index_table(record.body, index)) return;
    if (!id && is_known(index.collector_id)) id = index.collector_id;
    if (mrt::read_mark(index)) return;
    for (const mrt::PeerEntry& peer : index.peers) add(neighbors, peer.address);
  } else if (record.type == mrt::type::kTableDump && mrt::is_table_dump_subtype(record.subtype)) {
    mrt::TableDumpEntry entry;
    if (!mrt::parse_table_dump(record, entry)) add(neighbors, entry.peer);
  } else if (record.type == mrt::type::kBgp4mp && mrt::is_bgp4mp_subtype(record.subtype)) {
    mrt::Bgp4mp message;
    if (mrt::parse_bgp4mp(record, message)) return;
    add(locals, message.local);
    add(neighbors, message.peer);
  }
}

FileHead head_of(const std::string& path) {
  FileHead head;
  InputFile file;
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed) || !file.open(path)) return head;
  head.looked_into = true;
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
    if (!mrt::open_record(header, left.first(header.length), record)) head.note(record);
    left = left.subspan(header.length);
  }
  return head;
}

CollectorId Collectors::Group::name() const {
  return id || locals.empty() ? id : CollectorId(*locals.begin());
}

void Collectors::place(std::span<FileHead> heads) {
  std::vector<FileHead*> with_address, nameless;
  for (FileHead& head : heads)
    if (head.id) place_named(head);
  for (FileHead& head : heads) {
    if (head.id) continue;
    if (const Group* const group = with_id_among(head.locals)) {
      head.id = group->id;
      place_named(head);
    } else {
      (head.locals.empty() ? nameless : with_address).push_back(&head);
    }
  }
  std::vector<Part> parts = join_by_address(with_address);
  std::erase_if(parts, [this](const Part& part) { return place_by_address(part); });
  place_by_neighbors(parts);
  for (const Part& part : parts) put(part, groups_.emplace_back(), std::nullopt);
  for (FileHead* head : nameless) place_nameless(*head);
}

Collectors::Group* Collectors::with_id(const IpAddress& id) {
  const auto at = std::ranges::find(groups_, CollectorId(id), &Group::id);
  return at == groups_.end() ? nullptr : &*at;
}

Collectors::Group* Collectors::with_id_among(const std::set<IpAddress>& locals) {
  for (const IpAddress& local : locals)
    if (Group* const group = with_id(local)) return group;
  return nullptr;
}

void Collectors::place_named(FileHead& head) {
  Group* group = with_id(*head.id);
  if (group == nullptr) {
    group = &groups_.emplace_back();
    group->id = head.id;
  }
  add_to(group->locals, head.locals);
  add_to(group->neighbors, head.neighbors);
  head.collector = group->name();
}

void Collectors::put(const Part& part, Group& group, const CollectorId& in_doubt) {
  add_to(group.locals, part.said.locals);
  add_to(group.neighbors, part.said.neighbors);
  for (FileHead* file : part.files) {
    file->collector = group.name();
    file->in_doubt = in_doubt;
  }
}

std::vector<Collectors::Part> Collectors::join_by_address(const std::vector<FileHead*>& files) {
  std::vector<Part> parts;
  for (FileHead* file : files) {
    Part joined{{{}, file->locals, file->neighbors}, {file}};
    std::erase_if(parts, [&joined](const Part& part) {
      if (shared(part.said.locals, joined.said.locals) == 0) return false;
      add_to(joined.said.locals, part.said.locals);
      add_to(joined.said.neighbors, part.said.neighbors);
      joined.files.insert(joined.files.end(), part.files.begin(), part.files.end());
      return true;
    });
    parts.push_back(std::move(joined));
  }
  std::ranges::sort(parts, {}, [](const Part& part) { return *part.said.locals.begin(); });
  return parts;
}

/// That which has most of the neighbours; and another that has as many.
std::pair<Collectors::Group*, CollectorId> Collectors::nearest(
    std::vector<Group*> candidates, const std::set<IpAddress>& neighbors) {
  const auto missing = [&neighbors](const Group* group) {
    return neighbors.size() - shared(neighbors, group->neighbors);
  };
  std::ranges::sort(candidates, {}, [&missing](const Group* group) {
    return std::pair(missing(group), group->name());
  });
  const bool in_doubt = candidates.size() > 1 && missing(candidates[0]) == missing(candidates[1]);
  return {candidates[0], in_doubt ? candidates[1]->name() : std::nullopt};
}

bool Collectors::place_by_address(const Part& part) {
  std::vector<Group*> candidates;
  for (Group& group : groups_)
    if (shared(part.said.locals, group.locals) != 0) candidates.push_back(&group);
  if (candidates.empty()) return false;
  const auto [group, other] = nearest(std::move(candidates), part.said.neighbors);
  put(part, *group, other);
  return true;
}

/// A collector of which no address of these versions is known, and which has at least half of the
/// neighbours: the pair with the largest part of them first.
void Collectors::place_by_neighbors(std::vector<Part>& parts) {
  struct Pair {
    std::size_t part, group, neighbors, of;
    /// Greater: more of the neighbours, then more neighbours.
    auto order(const Pair& other) const {
      return std::pair(neighbors * other.of, neighbors) <=>
             std::pair(other.neighbors * of, other.neighbors);
    }
  };
  std::vector<Pair> pairs;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const Group& said = parts[p].said;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const std::size_t neighbors = shared(said.neighbors, groups_[g].neighbors);
      if (groups_[g].id && neighbors != 0 && 2 * neighbors >= said.neighbors.size())
        pairs.push_back({p, g, neighbors, said.neighbors.size()});
    }
  }
  std::ranges::sort(pairs, [this](const Pair& a, const Pair& b) {
    if (const auto order = a.order(b); order != 0) return order > 0;
    return std::tuple(a.part, groups_[a.group].id) < std::tuple(b.part, groups_[b.group].id);
  });
  std::set<std::size_t> placed;
  const auto fits = [&](const Pair& pair) {
    return !share_version(parts[pair.part].said.locals, groups_[pair.group].locals);
  };
  for (auto at = pairs.begin(); at != pairs.end(); ++at) {
    if (placed.contains(at->part) || !fits(*at)) continue;
    const auto other = std::find_if(std::next(at), pairs.end(), [&](const Pair& pair) {
      return pair.part == at->part && pair.order(*at) == 0 && fits(pair);
    });
    put(parts[at->part], groups_[at->group],
        other == pairs.end() ? std::nullopt : groups_[other->group].name());
    placed.insert(at->part);
  }
  for (auto p = placed.rbegin(); p != placed.rend(); ++p)
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(*p));
}

/// One that has at least half of its neighbours.
void Collectors::place_nameless(FileHead& head) {
  std::vector<Group*> candidates;
  for (Group& group : groups_) {
    const std::size_t neighbors = shared(head.neighbors, group.neighbors);
    if (neighbors != 0 && 2 * neighbors >= head.neighbors.size()) candidates.push_back(&group);
  }
  if (candidates.empty()) return;
  const auto [group, other] = nearest(std::move(candidates), head.neighbors);
  head.collector = group->name();
  head.in_doubt = other;
}

}  // namespace lapwing::collector
