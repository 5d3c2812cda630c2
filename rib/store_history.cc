#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

#include "rib/store_codec.h"
#include "rib/store_keys.h"
#include "rib/store_reader.h"

namespace lapwing::rib {

namespace {

struct Row {
  HistoryKey key;  // `hour` counts in rows of the column family only
  PeerId peer = 0;
  std::optional<std::string> before;
};

bool is_newer(const Row& a, const Row& b) { return a.key.row > b.key.row; }

// Walks the hours from the newest to the oldest; in each the families and RDs in which the prefix
// may stand. Rows of large groups, from the log, are told in between by their number.
class HistoryWalk {
 public:
  HistoryWalk(const Database& database, const rocksdb::ReadOptions& options, const Prefix& prefix)
      : database_(database), options_(options), paths_(database, options) {
    nlri_ =
        bgp::to_key({{prefix.address.version == IpVersion::kV4 ? kAfiIpv4 : kAfiIpv6, kSafiUnicast},
                     0,
                     prefix,
                     false,
                     0});
    at_.reset(database.db()->NewIterator(options, database.handle(Cf::kHistory)));
  }

  void walk(std::uint64_t from, std::uint64_t to, const Store::HistoryFn& fn) {
    read_log(from);
    at_->SeekToLast();
    while (at_->Valid() && at_->key().size() >= 4) {
      const std::uint32_t hour = read_u32(as_octets(view(at_->key())).data());
      if (hour < history_hour(from)) break;
      std::vector<Row> rows = rows_of(hour);
      std::sort(rows.begin(), rows.end(), is_newer);
      for (Row& row : rows)
        if (row.key.micros >= from && (!tell_logged(row.key.row, to, fn) || !tell(row, to, fn)))
          return;
      at_->SeekForPrev(slice(be32_key(hour)));  // no key is that short
    }
    tell_logged(0, to, fn);
  }

 private:
  void read_log(std::uint64_t from) {
    const std::uint64_t next_row = database_.meta_number(meta_key::kHistoryRow, 0, options_);
    const rocksdb::Status status =
        database_.history_log().read(&nlri_, from, next_row, [this](const LoggedRow& logged) {
          Row& row = logged_.emplace_back();
          row.key.nlri = logged.nlri;
          row.key.micros = logged.micros;
          row.key.row = logged.row;
          row.peer = logged.peer;
          if (logged.had_route) row.before = std::string(as_text(logged.before));
        });
    if (!status.ok()) database_.warn("history: " + status.ToString() + "; its rows are left out");
    std::sort(logged_.begin(), logged_.end(), is_newer);
  }

  // Those that are newer than `row`.
  bool tell_logged(std::uint64_t row, std::uint64_t to, const Store::HistoryFn& fn) {
    for (; next_logged_ < logged_.size(); ++next_logged_) {
      if (row != 0 && logged_[next_logged_].key.row < row) break;
      if (!tell(logged_[next_logged_], to, fn)) return false;
    }
    return true;
  }

  using RouteName = std::tuple<PeerId, std::uint8_t, std::uint64_t, std::uint8_t, std::uint32_t>;

  std::vector<Row> rows_of(std::uint32_t hour) {
    std::vector<Row> rows;
    const std::string family = be32_key(hour) + static_cast<char>(nlri_.afi);
    at_->Seek(slice(family));
    while (at_->Valid() && at_->key().starts_with(slice(family))) {
      HistoryKey found;
      if (!read_history_key(view(at_->key()), found)) {
        at_->Next();
        continue;
      }
      bgp::NlriKey wanted = nlri_;
      wanted.safi = found.nlri.safi;
      wanted.rd = found.nlri.rd;
      const std::string start = history_prefix(hour, wanted);
      for (at_->Seek(slice(start)); at_->Valid() && at_->key().starts_with(slice(start));
           at_->Next()) {
        HistoryEntry entry;
        if (!read_history_entry(view(at_->key()), view(at_->value()), entry)) continue;
        Row& row = rows.emplace_back(Row{entry.key, entry.peer, {}});
        if (entry.before) row.before = std::string(*entry.before);
      }
      const std::size_t space = 4 + 2 + (has_rd(wanted.safi) ? 8u : 0u);
      at_->Seek(slice(key_after(start.substr(0, space))));
    }
    return rows;
  }

  // What a route is after its newest row is what the table holds now.
  std::optional<std::string> present(PeerId peer, const bgp::NlriKey& nlri) {
    std::string value;
    PathId path = 0;
    Timestamp since;
    if (!database_.db()
             ->Get(options_, database_.handle(Cf::kRoutes), slice(route_key(peer, nlri)), &value)
             .ok() ||
        !read_route_value(value, path, since))
      return std::nullopt;
    const auto octets = paths_.read(path);
    return octets ? std::optional(std::string(as_text(*octets))) : std::nullopt;
  }

  bool tell(Row& row, std::uint64_t to, const Store::HistoryFn& fn) {
    const bgp::NlriKey& nlri = row.key.nlri;
    const RouteName name{row.peer, nlri.safi, nlri.rd, nlri.has_path_id, nlri.path_id};
    auto it = after_.find(name);
    if (it == after_.end()) it = after_.emplace(name, present(row.peer, nlri)).first;
    bool more = true;
    if (row.key.micros <= to) {
      HistoryRow out;
      out.time = from_unix_micros(static_cast<std::int64_t>(row.key.micros));
      out.peer = row.peer;
      out.nlri = nlri;
      if (row.before) out.before = as_octets(*row.before);
      if (it->second) out.after = as_octets(*it->second);
      more = fn(out);
    }
    it->second = std::move(row.before);
    return more;
  }

  const Database& database_;
  const rocksdb::ReadOptions options_;
  PathReader paths_;
  bgp::NlriKey nlri_;
  std::unique_ptr<rocksdb::Iterator> at_;
  std::map<RouteName, std::optional<std::string>> after_;
  std::vector<Row> logged_;
  std::size_t next_logged_ = 0;
};

}  // namespace

void read_history(const Database& database, const Prefix& prefix, Timestamp from, Timestamp to,
                  const Store::HistoryFn& fn) {
  const std::uint64_t alive = database.meta_number(meta_key::kAlive, 0);
  const std::uint64_t kept = database.options().history_days * kMicrosPerDay;
  const std::uint64_t oldest = std::max(alive > kept ? alive - kept : 0, database.history_from());
  if (unix_micros(to) < 0) return;
  const Snapshot snapshot(database.db());
  HistoryWalk(database, snapshot.options(), prefix)
      .walk(std::max(oldest, stored_micros(from)), stored_micros(to), fn);
}

bool read_history_entry(std::string_view key, std::string_view value, HistoryEntry& out) {
  OctetReader reader(value);
  std::uint8_t flags = 0;
  if (!read_history_key(key, out.key) || !reader.varint32(out.peer) || !reader.octet(flags))
    return false;
  if ((flags & 2) != 0) {
    out.key.nlri.has_path_id = 1;
    if (!reader.varint32(out.key.nlri.path_id)) return false;
  }
  out.before.reset();
  if ((flags & 1) != 0) out.before = reader.rest();
  return (flags & 1) != 0 || reader.empty();
}

rocksdb::Status read_changes_after(const Database& database, const rocksdb::ReadOptions& options,
                                   const HistoryLog& log, std::uint64_t micros,
                                   const HistoryLog::RowFn& fn) {
  const std::unique_ptr<rocksdb::Iterator> at(
      database.db()->NewIterator(options, database.handle(Cf::kHistory)));
  HistoryEntry entry;
  for (at->Seek(slice(be32_key(history_hour(micros)))); at->Valid(); at->Next()) {
    if (!read_history_entry(view(at->key()), view(at->value()), entry) ||
        entry.key.micros <= micros)
      continue;
    fn({entry.key.row, entry.key.micros, entry.peer, entry.key.nlri, entry.before.has_value(),
        as_octets(entry.before.value_or(std::string_view()))});
  }
  const std::uint64_t next_row = database.meta_number(meta_key::kHistoryRow, 0, options);
  const rocksdb::Status logged = log.read(nullptr, micros + 1, next_row, fn);
  return at->status().ok() ? logged : at->status();
}

}  // namespace lapwing::rib
