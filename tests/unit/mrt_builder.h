// Builders for hand-made MRT records and the BGP messages in them; lengths are computed.
//
// Thread: any. Owns: what it builds.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bgp/wire.h"
#include "collector/mrt_source.h"

namespace mrt_test {

using lapwing::Asn;
using lapwing::Family;
using lapwing::IpAddress;
using lapwing::Octets;
using lapwing::Prefix;
using lapwing::Timestamp;
using Bytes = std::vector<std::uint8_t>;
namespace bgp = lapwing::bgp;
namespace mrt = lapwing::bgp::mrt;

inline IpAddress ip(std::string_view text) { return *lapwing::parse_address(text); }
inline Timestamp at(std::int64_t seconds, std::int64_t micros = 0) {
  return lapwing::from_unix_micros(seconds * 1'000'000 + micros);
}

inline void put_address(Bytes& out, const IpAddress& a) {
  bgp::put_octets(out, Octets(a.bytes.data(), a.size()));
}
inline void put_asn(Bytes& out, Asn as, bool four) {
  four ? bgp::put_u32(out, as) : bgp::put_u16(out, as);
}
inline void put_prefix(Bytes& out, std::string_view text) {
  const Prefix p = *lapwing::parse_prefix(text);
  bgp::put_u8(out, p.length);
  bgp::put_octets(out, Octets(p.address.bytes.data(), (p.length + 7u) / 8));
}

/// A record; `micros` of an extended timestamp are part of the body.
inline Bytes record(std::uint32_t seconds, unsigned type, unsigned subtype, const Bytes& body) {
  Bytes out;
  bgp::put_u32(out, seconds);
  bgp::put_u16(out, type);
  bgp::put_u16(out, subtype);
  bgp::put_u32(out, static_cast<std::uint32_t>(body.size()));
  bgp::put_octets(out, body);
  return out;
}

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// --- BGP ---

inline Bytes attribute(unsigned flags, unsigned type, const Bytes& value) {
  Bytes out;
  bgp::put_u8(out, flags);
  bgp::put_u8(out, type);
  bgp::put_u8(out, static_cast<unsigned>(value.size()));
  bgp::put_octets(out, value);
  return out;
}

inline Bytes as_path(const std::vector<Asn>& path, bool four) {
  Bytes value;
  if (!path.empty()) {
    bgp::put_u8(value, 2);
    bgp::put_u8(value, static_cast<unsigned>(path.size()));
    for (const Asn as : path) put_asn(value, as, four);
  }
  return attribute(0x40, 2, value);
}

/// ORIGIN IGP, AS_PATH, NEXT_HOP.
inline Bytes attributes(const std::vector<Asn>& path, bool four = true,
                        std::string_view next_hop = "192.0.2.1") {
  Bytes hop;
  put_address(hop, ip(next_hop));
  return attribute(0x40, 1, {0}) + as_path(path, four) + attribute(0x40, 3, hop);
}

inline Bytes message(unsigned type, const Bytes& body) {
  Bytes out(16, 0xff);
  bgp::put_u16(out, static_cast<unsigned>(19 + body.size()));
  bgp::put_u8(out, type);
  bgp::put_octets(out, body);
  return out;
}

struct Nlri {
  std::string_view prefix;
  std::uint32_t path_id = 0;
};

inline Bytes update(const std::vector<Nlri>& withdrawn, const Bytes& attribute_block,
                    const std::vector<Nlri>& announced, bool path_ids = false) {
  const auto put = [path_ids](Bytes& out, const std::vector<Nlri>& list) {
    for (const Nlri& n : list) {
      if (path_ids) bgp::put_u32(out, n.path_id);
      put_prefix(out, n.prefix);
    }
  };
  Bytes gone, body;
  put(gone, withdrawn);
  bgp::put_u16(body, static_cast<unsigned>(gone.size()));
  bgp::put_octets(body, gone);
  bgp::put_u16(body, static_cast<unsigned>(attribute_block.size()));
  bgp::put_octets(body, attribute_block);
  put(body, announced);
  return message(2, body);
}

inline Bytes end_of_rib() { return update({}, {}, {}); }

inline Bytes open(Asn as, const Bytes& capabilities = {}) {
  Bytes body{4};
  bgp::put_u16(body, as > 65535 ? 23456 : as);
  bgp::put_u16(body, 90);
  put_address(body, ip("192.0.2.9"));
  if (capabilities.empty()) {
    bgp::put_u8(body, 0);
  } else {
    bgp::put_u8(body, static_cast<unsigned>(capabilities.size() + 2));
    bgp::put_u8(body, 2);
    bgp::put_u8(body, static_cast<unsigned>(capabilities.size()));
    bgp::put_octets(body, capabilities);
  }
  return message(1, body);
}

// --- MRT ---

struct Peer {
  std::string_view address = "192.0.2.1";
  Asn as = 64501;
  Asn local_as = 64500;
  std::string_view local = {};  // empty: 192.0.2.254 or 2001:db8::ffff
};

inline Bytes bgp4mp_header(const Peer& peer, bool four) {
  Bytes out;
  const IpAddress address = ip(peer.address);
  const bool v4 = address.size() == 4;
  put_asn(out, peer.as, four);
  put_asn(out, peer.local_as, four);
  bgp::put_u16(out, 7);
  bgp::put_u16(out, v4 ? 1 : 2);
  put_address(out, address);
  put_address(out, ip(!peer.local.empty() ? peer.local : v4 ? "192.0.2.254" : "2001:db8::ffff"));
  return out;
}

inline Bytes bgp4mp(std::uint32_t seconds, unsigned subtype, const Peer& peer, const Bytes& msg) {
  const bool four = subtype == 4 || subtype == 7 || subtype == 9 || subtype == 11;
  return record(seconds, 16, subtype, bgp4mp_header(peer, four) + msg);
}

inline Bytes state_change(std::uint32_t seconds, const Peer& peer, unsigned old_state,
                          unsigned new_state) {
  Bytes body = bgp4mp_header(peer, true);
  bgp::put_u16(body, old_state);
  bgp::put_u16(body, new_state);
  return record(seconds, 16, 5, body);
}

inline Bytes peer_index(std::uint32_t seconds, const std::vector<Peer>& peers,
                        std::string_view collector = "198.51.100.1") {
  Bytes body;
  put_address(body, ip(collector));
  bgp::put_u16(body, 4);
  bgp::put_octets(body, Bytes{'v', 'i', 'e', 'w'});
  bgp::put_u16(body, static_cast<unsigned>(peers.size()));
  for (const Peer& peer : peers) {
    const IpAddress address = ip(peer.address);
    bgp::put_u8(body, (address.size() == 16 ? 1u : 0u) | 2u);
    put_address(body, ip("192.0.2.9"));
    put_address(body, address);
    bgp::put_u32(body, peer.as);
  }
  return record(seconds, 13, 1, body);
}

struct Entry {
  unsigned peer = 0;
  Bytes attributes;
  std::uint32_t path_id = 0;
};

/// A TABLE_DUMP entry (RFC 6396 4.2) of an IPv4 prefix; `attributes` are taken for two-octet ASNs.
inline Bytes table_dump(std::uint32_t seconds, std::string_view address, unsigned length,
                        const Peer& peer, const Bytes& attributes) {
  Bytes body;
  bgp::put_u32(body, 0);  // view, sequence
  put_address(body, ip(address));
  bgp::put_u8(body, length);
  bgp::put_u8(body, 1);
  bgp::put_u32(body, 1000);
  put_address(body, ip(peer.address));
  bgp::put_u16(body, peer.as);
  bgp::put_u16(body, static_cast<unsigned>(attributes.size()));
  return record(seconds, 12, 1, body + attributes);
}

/// `family` octets go before the prefix in RIB_GENERIC.
inline Bytes rib(std::uint32_t seconds, unsigned subtype, std::string_view prefix,
                 const std::vector<Entry>& entries, const Bytes& family = {}) {
  Bytes body;
  bgp::put_u32(body, 1);
  bgp::put_octets(body, family);
  put_prefix(body, prefix);
  bgp::put_u16(body, static_cast<unsigned>(entries.size()));
  for (const Entry& e : entries) {
    bgp::put_u16(body, e.peer);
    bgp::put_u32(body, 1000);
    if (subtype >= 8) bgp::put_u32(body, e.path_id);
    bgp::put_u16(body, static_cast<unsigned>(e.attributes.size()));
    bgp::put_octets(body, e.attributes);
  }
  return record(seconds, 13, subtype, body);
}

/// A file that lives as long as this.
class TempFile {
 public:
  explicit TempFile(const Bytes& content) {
    const int fd = ::mkstemp(path_.data());
    if (fd >= 0) ::close(fd);
    std::ofstream out(path_, std::ios::binary);
    out.write(reinterpret_cast<const char*>(content.data()),
              static_cast<std::streamsize>(content.size()));
  }
  ~TempFile() { std::remove(path_.c_str()); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/lapwing-mrt-XXXXXX";
};

/// All records of the files, one line each: "time peer kind …".
struct Replay {
  std::vector<std::string> lines;
  lapwing::collector::MrtStatistics statistics;
  std::vector<bgp::PeerDetail> peers;
  std::vector<bgp::SessionDetail> sessions;
};

inline std::string describe(const bgp::RecordBatch& batch, const bgp::Record& r) {
  std::string line = std::to_string(lapwing::unix_micros(r.time) / 1'000'000) + " p" +
                     std::to_string(r.peer);
  const auto nlri = [](const bgp::NlriKey& key) {
    const lapwing::Nlri n = bgp::to_nlri(key);
    return lapwing::format_prefix(n.prefix) +
           (n.has_path_id ? "#" + std::to_string(n.path_id) : std::string());
  };
  switch (r.kind) {
    case bgp::RecordKind::kPeerDeclare:
      return line + " declare " + batch.peer_details[r.detail].name +
             (batch.peer_details[r.detail].joined_midway ? " midway" : "");
    case bgp::RecordKind::kPeerUp: return line + " up";
    case bgp::RecordKind::kPeerDown:
      return line + " down " + batch.session_details[r.detail].reason;
    case bgp::RecordKind::kEndOfRib: return line + " end " + lapwing::format_family(r.family);
    case bgp::RecordKind::kRefreshBegin:
      return line + " refresh " + lapwing::format_family(r.family);
    case bgp::RecordKind::kRefreshEnd:
      return line + " refreshed " + lapwing::format_family(r.family);
    case bgp::RecordKind::kTick: return line + " tick";
    case bgp::RecordKind::kUpdate: break;
  }
  for (const auto& key : batch.withdrawn(r)) line += " -" + nlri(key);
  for (const auto& key : batch.announced(r)) line += " +" + nlri(key);
  if (r.announced > 0)
    line += " via " + lapwing::format_as_path(lapwing::PathView(batch.attributes(r)).as_path());
  return line;
}

inline Replay replay(const std::vector<Bytes>& files, lapwing::collector::MrtOptions options = {}) {
  Replay result;
  lapwing::collector::MrtSource source(
      [&result](bgp::RecordBatch& batch) {
        for (const bgp::Record& r : batch.records) {
          result.lines.push_back(describe(batch, r));
          if (r.kind == bgp::RecordKind::kPeerDeclare)
            result.peers.push_back(batch.peer_details[r.detail]);
          if (r.kind == bgp::RecordKind::kPeerUp || r.kind == bgp::RecordKind::kPeerDown)
            result.sessions.push_back(batch.session_details[r.detail]);
        }
      },
      std::move(options));
  std::deque<TempFile> kept;
  std::vector<std::string> paths;
  for (const Bytes& content : files) paths.push_back(kept.emplace_back(content).path());
  source.read_files(paths);
  source.finish();
  result.statistics = source.statistics();
  return result;
}

/// One line each, so that a failed comparison shows them.
inline std::string text(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + '\n';
  return out;
}

}  // namespace mrt_test
