#include "collector/dump.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bgp/mrt_encode.h"
#include "rib/store_view.h"

namespace lapwing::collector {

namespace {

namespace mrt = bgp::mrt;

/// Writes records to a file or to standard output; remembers the first error.
class Output {
 public:
  explicit Output(const std::string& path) {
    if (path == "-") {
      fd_ = STDOUT_FILENO;
      return;
    }
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd_ < 0) error_ = std::strerror(errno);
  }
  ~Output() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  std::vector<std::uint8_t>& buffer() { return buffer_; }
  /// To be called between records. False after an error.
  bool write_if_full() { return buffer_.size() < kFull || flush(); }
  bool flush() {
    std::size_t at = 0;
    while (error_.empty() && at < buffer_.size()) {
      const ssize_t n = ::write(fd_, buffer_.data() + at, buffer_.size() - at);
      if (n > 0)
        at += static_cast<std::size_t>(n);
      else if (n == 0 || errno != EINTR)
        error_ = n == 0 ? "no octet could be written" : std::strerror(errno);
    }
    buffer_.clear();
    return error_.empty();
  }
  bool close() {
    flush();
    if (fd_ > STDERR_FILENO && ::close(std::exchange(fd_, -1)) != 0 && error_.empty())
      error_ = std::strerror(errno);
    return error_.empty();
  }
  const std::string& error() const { return error_; }

 private:
  static constexpr std::size_t kFull = 1 << 20;
  int fd_ = -1;
  std::string error_;
  std::vector<std::uint8_t> buffer_;
};

/// Joins the routes of one prefix, which come one after the other, into one record.
class TableWriter {
 public:
  TableWriter(Timestamp time, const std::vector<rib::PeerRecord>& peers, Output& output)
      : time_(time), output_(output) {
    for (std::size_t i = 0; i < peers.size(); ++i)
      indexes_[peers[i].id] = static_cast<std::uint16_t>(i);
  }

  bool add(PeerId peer, const bgp::NlriKey& key, Octets path, Timestamp since) {
    bgp::NlriKey prefix = key;
    prefix.path_id = 0;
    if (!record_ || prefix != prefix_ || record_->full()) {
      end();
      if (!output_.write_if_full()) return false;
      // With path identifiers and without it is one prefix, in two records.
      bgp::NlriKey same = prefix_;
      same.has_path_id = prefix.has_path_id;
      if (records_ == 0 || same != prefix) ++prefixes_;
      prefix_ = prefix;
      record_.emplace(time_, records_++, prefix, key.has_path_id != 0, output_.buffer());
    }
    attributes_.clear();
    if (mrt::append_wire_attributes(path, attributes_)) {
      record_->add(indexes_.at(peer), since, key.path_id, attributes_);
      ++routes_;
    } else {
      ++too_large_;
    }
    return true;
  }
  void end() {
    if (record_) record_->end();
    record_.reset();
  }
  std::uint32_t prefixes() const { return prefixes_; }
  std::uint64_t routes() const { return routes_; }
  std::uint64_t too_large() const { return too_large_; }

 private:
  const Timestamp time_;
  Output& output_;
  std::map<PeerId, std::uint16_t> indexes_;
  std::optional<mrt::RibEncoder> record_;
  bgp::NlriKey prefix_;
  std::vector<std::uint8_t> attributes_;
  std::uint32_t records_ = 0;
  std::uint32_t prefixes_ = 0;
  std::uint64_t routes_ = 0;
  std::uint64_t too_large_ = 0;
};

int fail(const std::string& text) {
  fmt::print(stderr, "lapwing: {}\n", text);
  return 1;
}

/// Leaves the named ones; the first name that is not there, if any.
std::optional<std::string> choose(const std::vector<std::string>& names,
                                  std::vector<rib::PeerRecord>& peers) {
  for (const std::string& name : names)
    if (std::none_of(peers.begin(), peers.end(), [&](const auto& p) { return p.name == name; }))
      return name;
  if (!names.empty())
    std::erase_if(peers, [&](const rib::PeerRecord& peer) {
      return std::find(names.begin(), names.end(), peer.name) == names.end();
    });
  return std::nullopt;
}

/// The names, for a replay, and then the table of indexes that the entries refer to.
void append_peers(const std::vector<rib::PeerRecord>& peers, Timestamp time,
                  const IpAddress& router_id, std::vector<std::uint8_t>& out) {
  std::vector<mrt::PeerEntry> entries;
  for (const rib::PeerRecord& peer : peers) {
    mrt::Mark mark;
    mark.kind = mrt::Mark::Kind::kPeer;
    mark.text = peer.name;
    mark.peers = {{peer.address, {}, peer.as}, {router_id, router_id, peer.local_as}};
    mrt::append_mark(mark, time, router_id, out);
    entries.push_back(mark.peers[0]);
  }
  mrt::append_peer_index_table(time, router_id, "lapwing", entries, out);
}

}  // namespace

int dump(const Config& config, const DumpOptions& options) {
  if (options.output == "-" && ::isatty(STDOUT_FILENO) != 0)
    return fail("an MRT file is not for a terminal; name a file with -o, or redirect the output");
  std::string error;
  const std::unique_ptr<rib::StoreView> store = rib::StoreView::open(config.store.path, error);
  std::vector<rib::PeerRecord> peers;
  if (!store || !store->peers(peers, error)) return fail(error);
  if (const auto unknown = choose(options.peers, peers))
    return fail(fmt::format("no neighbour \"{}\" in {}", *unknown, config.store.path.string()));
  if (peers.size() > 0xffff) return fail("more neighbours than a peer index table can hold");
  Output output(options.output);
  if (!output.error().empty()) return fail(options.output + ": " + output.error());

  const Timestamp now = store->alive_until();
  const Timestamp time = options.at.value_or(now);
  if (time > now)
    return fail(fmt::format("the tables are known up to {} only", format_rfc3339(now)));
  append_peers(peers, time, config.speaker.router_id, output.buffer());
  std::vector<PeerId> ids;
  for (const rib::PeerRecord& peer : peers) ids.push_back(peer.id);
  TableWriter table(time, peers, output);
  const auto add = [&table](PeerId peer, const bgp::NlriKey& key, Octets path, Timestamp since) {
    return table.add(peer, key, path, since);
  };
  if (!options.at)
    store->routes(ids, add);
  else if (!store->routes_at(ids, time, add, error))
    return fail(error);
  table.end();
  if (!output.close()) return fail(options.output + ": " + output.error());
  fmt::print(stderr, "time={} peers={} prefixes={} routes={}\n", format_rfc3339(time), peers.size(),
             table.prefixes(), table.routes());
  if (table.too_large() == 0) return 0;
  return fail(fmt::format("{} routes have attributes too large for a table dump", table.too_large()));
}

}  // namespace lapwing::collector
