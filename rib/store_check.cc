#include "rib/store_check.h"

#include <rocksdb/sst_file_reader.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "rib/store_codec.h"
#include "rib/store_database.h"
#include "rib/store_event_codec.h"
#include "rib/store_journal.h"
#include "rib/store_keys.h"
#include "rib/store_reader.h"

namespace lapwing::rib {

namespace {

// The views of include/lapwing/path.h trust what this has looked at.
bool is_canonical(Octets octets) {
  OctetReader in(as_text(octets));
  int last = -1;
  while (!in.empty()) {
    std::uint8_t type = 0;
    std::string_view value;
    if (!in.octet(type) || !in.text(value) || static_cast<int>(type) <= last) return false;
    last = type;
  }
  return true;
}

std::string hex(std::string_view octets) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : octets.substr(0, 64)) {
    text += kDigits[static_cast<std::uint8_t>(c) >> 4];
    text += kDigits[static_cast<std::uint8_t>(c) & 15];
  }
  return text;
}

class Checker {
 public:
  Checker(const Database& database, StoreCheck& out) : database_(database), out_(out) {}

  void run() {
    check_files();
    check_peers();
    check_paths();
    check_routes();
    scan(Cf::kState, "knowledge", [this](std::string_view key, std::string_view) {
      std::string_view detector, name;
      ++out_.states;
      return read_state_key(key, detector, name);
    });
    check_history();
    check_events();
    scan(Cf::kBlind, "a blind interval", [this](std::string_view key, std::string_view value) {
      BlindInterval interval;
      ++out_.blind;
      return read_blind_key(key, interval.peer, interval.range.from) &&
             decode_blind(value, interval);
    });
  }

 private:
  /// `fn` is false where an entry is damaged.
  void scan(Cf cf, const std::string& what,
            const std::function<bool(std::string_view key, std::string_view value)>& fn) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.readahead_size = 2u << 20;
    const std::unique_ptr<rocksdb::Iterator> at(
        database_.db()->NewIterator(options, database_.handle(cf)));
    for (at->SeekToFirst(); at->Valid(); at->Next())
      if (!fn(view(at->key()), view(at->value())))
        out_.fault(what + " is damaged, key " + hex(view(at->key())));
    if (!at->status().ok())
      out_.fault(what + ": reading ends at a fault: " + at->status().ToString());
  }

  void check_files() {
    std::vector<rocksdb::LiveFileMetaData> files;
    database_.db()->GetLiveFilesMetaData(&files);
    for (const rocksdb::LiveFileMetaData& file : files) {
      ++out_.files;
      const std::string path = file.db_path + file.name;
      rocksdb::SstFileReader reader(database_.table_options(Cf::kMeta));
      rocksdb::Status status = reader.Open(path);
      if (status.ok()) status = reader.VerifyChecksum();
      // A Lapwing that runs may have replaced it since.
      std::error_code ignored;
      if (!status.ok() && std::filesystem::exists(path, ignored))
        out_.fault("table file " + path + " (" + file.column_family_name +
                   "): " + status.ToString());
      else if (!status.ok() && !status.IsIOError() && !status.IsPathNotFound())
        out_.fault("table file " + path + ": " + status.ToString());
    }
  }

  void check_peers() {
    scan(Cf::kPeers, "a neighbour", [this](std::string_view key, std::string_view value) {
      const auto peer = decode_peer(value);
      PeerId id = 0;
      ++out_.peers;
      if (!peer || !read_be32_key(key, id) || peer->id != id) return false;
      peers_.insert(id);
      return true;
    });
  }

  void check_paths() {
    scan(Cf::kPaths, "a path", [this](std::string_view key, std::string_view value) {
      const auto path = read_path_value(value);
      PathId id = 0;
      ++out_.paths;
      if (!path || !read_be32_key(key, id) || !is_canonical(*path)) return false;
      if (sound_paths_.size() <= id) sound_paths_.resize(std::size_t{id} + 1);
      sound_paths_[id] = true;
      return true;
    });
  }

  void check_routes() {
    scan(Cf::kRoutes, "a route", [this](std::string_view key, std::string_view value) {
      PeerId peer = 0;
      bgp::NlriKey nlri;
      PathId path = 0;
      Timestamp since;
      ++out_.routes;
      if (!read_route_key(key, peer, nlri) || !read_route_value(value, path, since)) return false;
      const auto name = [&] {
        return "the route to " + format_prefix(bgp::to_nlri(nlri).prefix) + " of neighbour " +
               std::to_string(peer);
      };
      if (path >= sound_paths_.size() || !sound_paths_[path])
        out_.fault(name() + " refers to path " + std::to_string(path) +
                   ", which is not there or is damaged");
      if (!peers_.contains(peer)) out_.fault(name() + ": there is no such neighbour");
      return true;
    });
  }

  void check_history() {
    const std::uint64_t next_row = database_.meta_number(meta_key::kHistoryRow, 0);
    scan(Cf::kHistory, "a row of history", [&](std::string_view key, std::string_view value) {
      HistoryEntry entry;
      ++out_.history_rows;
      return read_history_entry(key, value, entry) && entry.key.row < next_row &&
             (!entry.before || is_canonical(as_octets(*entry.before)));
    });
    HistoryLog::Findings findings;
    const rocksdb::Status status = HistoryLog::check(
        *rocksdb::Env::Default(), database_.options().path / "history", next_row, findings);
    out_.history_rows += findings.rows;
    if (!status.ok()) out_.fault("the history cannot be read: " + status.ToString());
    for (std::string& text : findings.faults) out_.fault(std::move(text));
    for (std::string& text : findings.notes) out_.notes.push_back(std::move(text));
  }

  void check_events() {
    std::map<std::uint64_t, EventId> events;
    std::map<EventId, std::uint64_t> ids;
    std::uint64_t octets = 0;
    scan(Cf::kEvents, "an event", [&](std::string_view key, std::string_view value) {
      std::uint64_t number = 0;
      if (read_event_key(key, number)) {
        const auto event = decode_event(value);
        ++out_.events;
        octets += key.size() + value.size();
        if (event) events.emplace(number, event->id);
        return event.has_value();
      }
      EventId id;
      if (key.size() != 1 + id.bytes.size() || key[0] != 'i' || !read_number(value, number))
        return false;
      std::copy(key.begin() + 1, key.end(), id.bytes.begin());
      ids.emplace(id, number);
      return true;
    });
    for (const auto& [number, id] : events) {
      const auto it = ids.find(id);
      if (it == ids.end() || it->second != number)
        out_.fault("event " + std::to_string(number) + ": its id " + format_event_id(id) +
                   (it == ids.end() ? " is not known" : " is known as that of another"));
    }
    for (const auto& [id, number] : ids)
      if (!events.contains(number))
        out_.fault("event " + std::to_string(number) + " is missing, its id " +
                   format_event_id(id) + " is known");
    const std::uint64_t last = database_.meta_number(meta_key::kLastEvent, 0);
    if (!events.empty() && events.rbegin()->first > last)
      out_.fault("event " + std::to_string(events.rbegin()->first) + " is beyond the last one, " +
                 std::to_string(last));
    const std::uint64_t sum = database_.meta_number(meta_key::kEventOctets, octets);
    if (sum != octets)
      out_.fault("the events have " + std::to_string(octets) + " octets, " + std::to_string(sum) +
                 " are noted");
    scan(Cf::kCursors, "a cursor", [&](std::string_view, std::string_view value) {
      std::uint64_t number = 0;
      ++out_.cursors;
      return read_number(value, number) && number <= last;
    });
  }

  const Database& database_;
  StoreCheck& out_;
  std::set<PeerId> peers_;
  std::vector<bool> sound_paths_;
};

}  // namespace

StoreCheck check_store(const std::filesystem::path& path) {
  StoreCheck out;
  StoreOptions options;
  options.path = path;
  std::string error;
  // Read before the database: one that runs goes on meanwhile.
  const std::uint64_t synced = Database::synced_group(path).value_or(0);
  const auto database = Database::open_to_check(options, error);
  if (!database) {
    out.fault(error);
    return out;
  }
  if (!error.empty()) out.fault(error);
  const std::uint64_t found = database->meta_number(meta_key::kGroup, 0);
  if (found < synced)
    out.fault("writes " + std::to_string(found + 1) + " to " + std::to_string(synced) +
              " had been acknowledged as synced and are missing from " + (path / "db").string());
  if (std::filesystem::exists(path / "synced") && !Database::synced_group(path) &&
      std::filesystem::file_size(path / "synced") != 0)
    out.fault((path / "synced").string() + " is damaged; the next start writes it anew");
  Checker(*database, out).run();
  return out;
}

}  // namespace lapwing::rib
