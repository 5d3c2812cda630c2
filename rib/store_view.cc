#include "rib/store_view.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "rib/store_codec.h"
#include "rib/store_database.h"
#include "rib/store_keys.h"
#include "rib/store_reader.h"

namespace lapwing::rib {

namespace {

class StoreViewImpl final : public StoreView {
 public:
  explicit StoreViewImpl(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  bool peers(std::vector<PeerRecord>& out, std::string& error) const override {
    return load_peers(*database_, out, error);
  }
  Timestamp alive_until() const override {
    return from_unix_micros(static_cast<std::int64_t>(database_->meta_number(meta_key::kAlive, 0)));
  }
  void routes(const std::vector<PeerId>& peers, const Store::RouteFn& fn) const override {
    read_routes(*database_, std::nullopt, Match::kExact, peers, fn, std::nullopt);
  }
  bool routes_at(const std::vector<PeerId>& peers, Timestamp at, const Store::RouteFn& fn,
                 std::string& error) const override;

 private:
  /// A route that has changed since: what the oldest of the changes says was before it.
  struct Undo {
    std::uint64_t row = UINT64_MAX;
    bgp::NlriKey nlri;
    std::optional<std::vector<std::uint8_t>> before;
  };
  using Name = std::pair<std::string, PeerId>;  // in the order in which `routes` tells them
  using Changes = std::map<Name, Undo>;
  static Name name_of(PeerId peer, const bgp::NlriKey& nlri) {
    char octets[kMaxNlriKey];
    return {{octets, write_nlri(octets, nlri, true)}, peer};
  }
  bool read_changes(const std::vector<PeerId>& peers, Timestamp at, Changes& out,
                    std::string& error) const;

  const std::unique_ptr<Database> database_;
};

bool StoreViewImpl::read_changes(const std::vector<PeerId>& peers, Timestamp at, Changes& out,
                                 std::string& error) const {
  const std::uint64_t from = database_->meta_number(meta_key::kHistoryFrom, 0);
  if (stored_micros(at) < from) {
    error = "the history reaches back to " +
            format_rfc3339(from_unix_micros(static_cast<std::int64_t>(from))) + " only";
    return false;
  }
  const std::filesystem::path& path = database_->options().path;
  std::unique_ptr<HistoryLog> log;
  std::string damage;
  rocksdb::Status status = HistoryLog::open_to_read(
      *rocksdb::Env::Default(), path / "history", database_->meta_number(meta_key::kHistoryRow, 0),
      [&damage](std::string_view text) { damage = text; }, log);
  if (status.ok())
    status = read_changes_after(
        *database_, rocksdb::ReadOptions(), *log, stored_micros(at), [&](const LoggedRow& row) {
          if (std::find(peers.begin(), peers.end(), row.peer) == peers.end()) return;
          Undo& undo = out[name_of(row.peer, row.nlri)];
          if (row.row >= undo.row) return;
          undo.row = row.row;
          undo.nlri = row.nlri;
          undo.before.reset();
          if (row.had_route) undo.before.emplace(row.before.begin(), row.before.end());
        });
  if (!status.ok()) damage = status.ToString();
  if (!damage.empty())
    error = "the history in " + path.string() + " cannot be read: " + damage +
            "; see `lapwing db check`";
  return damage.empty();
}

bool StoreViewImpl::routes_at(const std::vector<PeerId>& peers, Timestamp at,
                              const Store::RouteFn& fn, std::string& error) const {
  Changes changes;
  if (!read_changes(peers, at, changes, error)) return false;
  auto next = changes.begin();
  bool more = true;
  // Routes that are not there today, up to this one; what is there today is told by its change.
  const auto tell = [&](const Changes::value_type& change) {
    const auto& [name, undo] = change;
    if (undo.before) more = fn(name.second, undo.nlri, *undo.before, at);
  };
  const auto tell_until = [&](const Name* end) {
    for (; more && next != changes.end() && (end == nullptr || next->first < *end); ++next)
      tell(*next);
  };
  routes(peers, [&](PeerId peer, const bgp::NlriKey& key, Octets path, Timestamp since) {
    const Name name = name_of(peer, key);
    tell_until(&name);
    if (!more) return false;
    if (next != changes.end() && next->first == name) {
      tell(*next++);
    } else if (since <= at) {  // else it came in a first table after that
      more = fn(peer, key, path, since);
    }
    return more;
  });
  tell_until(nullptr);
  return true;
}

}  // namespace

std::unique_ptr<StoreView> StoreView::open(const std::filesystem::path& path, std::string& error) {
  StoreOptions options;
  options.path = path;
  std::unique_ptr<Database> database = Database::open_read_only(options, error);
  if (!database) return nullptr;
  return std::make_unique<StoreViewImpl>(std::move(database));
}

}  // namespace lapwing::rib
