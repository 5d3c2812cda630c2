// MRT records as values: the header, peer tables, RIB entries and BGP4MP messages.
//
// `read_header` and `open_record` frame one record; `parse_*` reads one kind of body into views over
// the caller's octets. After a parse without a fault the entry cursor can only end or report a
// fault. A fault is a value: the caller counts it and goes on with the next record.
// Thread: any. Owns: nothing but the peer index table; views live as long as the octets.
//
// RFC 6396: TABLE_DUMP, TABLE_DUMP_V2, BGP4MP, BGP4MP_ET. RFC 8050: ADD-PATH subtypes.
// Deviations: TABLE_DUMP subtypes 3 and 4 (AFI with 4-octet ASNs, an old extension of Quagga) are
// read too, and BGP4MP_ENTRY (a table of old OpenBGPD and GNU Zebra); in a RIB entry MP_REACH_NLRI is left as it stands (see `RibEntry::attributes`).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/record.h"
#include "lapwing/path.h"
#include "lapwing/prefix.h"
#include "lapwing/time.h"

namespace lapwing::bgp::mrt {

inline constexpr std::size_t kHeaderSize = 12;

namespace type {
inline constexpr std::uint16_t kTableDump = 12;
inline constexpr std::uint16_t kTableDumpV2 = 13;
inline constexpr std::uint16_t kBgp4mp = 16;
inline constexpr std::uint16_t kBgp4mpEt = 17;
}  // namespace type

/// RFC 6396 4 and appendix B, and the OSPF and IS-IS types: IANA's registry of MRT types.
constexpr bool is_registered(std::uint16_t record_type) {
  return record_type <= 13 || record_type == 16 || record_type == 17 || record_type == 32 ||
         record_type == 33 || record_type == 48 || record_type == 49;
}

namespace table_dump_v2 {
inline constexpr std::uint16_t kPeerIndexTable = 1;
inline constexpr std::uint16_t kRibIpv4Unicast = 2;
inline constexpr std::uint16_t kRibIpv4Multicast = 3;
inline constexpr std::uint16_t kRibIpv6Unicast = 4;
inline constexpr std::uint16_t kRibIpv6Multicast = 5;
inline constexpr std::uint16_t kRibGeneric = 6;
inline constexpr std::uint16_t kRibIpv4UnicastAddPath = 8;
inline constexpr std::uint16_t kRibIpv6MulticastAddPath = 11;
inline constexpr std::uint16_t kRibGenericAddPath = 12;
}  // namespace table_dump_v2

namespace bgp4mp {
inline constexpr std::uint16_t kStateChange = 0;
inline constexpr std::uint16_t kMessage = 1;
inline constexpr std::uint16_t kEntry = 2;  // no RFC; see `parse_bgp4mp_entry`
inline constexpr std::uint16_t kMessageAs4 = 4;
inline constexpr std::uint16_t kStateChangeAs4 = 5;
inline constexpr std::uint16_t kMessageLocal = 6;
inline constexpr std::uint16_t kMessageAs4Local = 7;
inline constexpr std::uint16_t kMessageAddPath = 8;
inline constexpr std::uint16_t kMessageAs4AddPath = 9;
inline constexpr std::uint16_t kMessageLocalAddPath = 10;
inline constexpr std::uint16_t kMessageAs4LocalAddPath = 11;
}  // namespace bgp4mp

/// FSM states in STATE_CHANGE records (RFC 6396 4.4.1). Quagga writes 7 (Clearing) and 8 (Deleted)
/// too; any number but 6 is "not established" here.
inline constexpr std::uint16_t kStateEstablished = 6;

/// Why a record cannot be read; no reason: it can. The text lives for ever.
struct [[nodiscard]] Fault {
  std::string_view reason;
  explicit operator bool() const { return !reason.empty(); }
};

/// RFC 6396 2. `length` counts the octets that follow the header.
struct Header {
  std::uint32_t seconds = 0;
  std::uint16_t type = 0;
  std::uint16_t subtype = 0;
  std::uint32_t length = 0;
};

/// `p` has `kHeaderSize` octets.
Header read_header(const std::uint8_t* p);

/// A record whose extended timestamp (RFC 6396 3), if any, has been taken off the body.
struct RecordView {
  Timestamp time;
  std::uint16_t type = 0;  // kBgp4mp for BGP4MP_ET
  std::uint16_t subtype = 0;
  Octets body;
};

/// `body` is the `header.length` octets after the header. Types other than BGP4MP_ET pass unchanged.
Fault open_record(const Header& header, Octets body, RecordView& out);

/// One peer of a PEER_INDEX_TABLE (RFC 6396 4.3.1).
struct PeerEntry {
  IpAddress address;
  IpAddress router_id;
  Asn as = 0;
};

struct PeerIndexTable {
  IpAddress collector_id;
  std::string view;
  std::vector<PeerEntry> peers;
};

/// Peers before the fault are kept: entries that name them can still be read.
Fault parse_peer_index_table(Octets body, PeerIndexTable& out);

/// One route of a table. `attributes` are path attributes with 4-octet ASNs. MP_REACH_NLRI in them
/// is the short form of RFC 6396 4.3.4 (length and next hop only), or whole where the writer did not
/// know better; a first octet of zero tells the latter.
struct RibEntry {
  std::uint16_t peer_index = 0;
  std::uint32_t originated = 0;  // seconds since the epoch
  std::uint32_t path_id = 0;     // ADD-PATH subtypes only
  Octets attributes;
};

/// A RIB_* record: one NLRI, entries of several peers. Walk the entries with `next`.
struct RibRecord {
  std::uint32_t sequence = 0;
  bool add_path = false;
  NlriKey nlri;             // without path identifier
  std::uint16_t count = 0;  // entries, as the record says

  /// False at the end or at a fault, which is then in `fault`.
  bool next(RibEntry& out, Fault& fault);

 private:
  friend Fault parse_rib(const RecordView&, RibRecord&);
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  std::uint16_t left_ = 0;
};

/// `record` is one of TABLE_DUMP_V2. True for the RIB subtypes that `parse_rib` reads; not for a
/// RIB_GENERIC of a family that is not read.
bool is_rib_record(const RecordView& record);
/// RFC 6396 4.3.2, 4.3.3; RFC 8050 4. In RIB_GENERIC: the families of `FamilySet`.
Fault parse_rib(const RecordView& record, RibRecord& out);

/// A TABLE_DUMP record (RFC 6396 4.2): one route of one peer. ASNs in `attributes` have four octets
/// where `four_octet_as`.
struct TableDumpEntry {
  std::uint16_t view = 0;
  std::uint16_t sequence = 0;
  NlriKey nlri;
  std::uint32_t originated = 0;
  IpAddress peer;
  Asn peer_as = 0;
  bool four_octet_as = false;
  Octets attributes;
};

/// True for the subtypes of TABLE_DUMP that `parse_table_dump` reads.
bool is_table_dump_subtype(std::uint16_t subtype);
Fault parse_table_dump(const RecordView& record, TableDumpEntry& out);

/// RFC 6396 4.4, RFC 8050 3. `message` is a whole BGP message with its header, of any length.
struct Bgp4mp {
  IpAddress peer;
  IpAddress local;
  Asn peer_as = 0;
  Asn local_as = 0;
  std::uint16_t interface_index = 0;
  bool state_change = false;
  bool four_octet_as = false;  // of the subtype: ASN size in the message too
  bool add_path = false;
  bool from_local = false;     // the collector sent it
  std::uint16_t old_state = 0;
  std::uint16_t new_state = 0;
  Octets message;
};

/// True for the subtypes of BGP4MP that `parse_bgp4mp` reads.
bool is_bgp4mp_subtype(std::uint16_t subtype);
Fault parse_bgp4mp(const RecordView& record, Bgp4mp& out);

/// A BGP4MP_ENTRY: one route of one peer, ASNs of two octets, the next hop beside the attributes.
struct Bgp4mpEntry {
  TableDumpEntry route;
  IpAddress local;
  Asn local_as = 0;
  Octets next_hop;
};
Fault parse_bgp4mp_entry(const RecordView& record, Bgp4mpEntry& out);

}  // namespace lapwing::bgp::mrt
