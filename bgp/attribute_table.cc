#include "bgp/attribute_table.h"

#include <array>

#include "bgp/attribute_checks.h"

namespace lapwing::bgp {

namespace {

constexpr auto kKeep = ErrorAction::kNone;
constexpr auto kDiscard = ErrorAction::kAttributeDiscard;
constexpr auto kWithdraw = ErrorAction::kTreatAsWithdraw;
constexpr auto kReset = ErrorAction::kSessionReset;
constexpr std::uint8_t kWellKnown = kTransitive;
constexpr std::uint8_t kOptTrans = kOptional | kTransitive;
constexpr std::uint8_t kOptNon = kOptional;
constexpr std::uint16_t kAny = 0xffff;
using C = AttributeChecker;

// clang-format off
constexpr AttributeRule kRules[] = {
    //   name                          flags       wrong      min  max  of  eBGP       iBGP       by session, check
    {1,  "ORIGIN",                     kWellKnown, kWithdraw, 1,   1,    1, kWithdraw, kWithdraw, false, C::origin,          "RFC 7606 7.1"},
    {2,  "AS_PATH",                    kWellKnown, kWithdraw, 0,   kAny, 1, kWithdraw, kWithdraw, false, C::as_path,         "RFC 7606 7.2"},
    {3,  "NEXT_HOP",                   kWellKnown, kWithdraw, 4,   4,    1, kWithdraw, kWithdraw, false, C::next_hop,        "RFC 7606 7.3"},
    {4,  "MULTI_EXIT_DISC",            kOptNon,    kWithdraw, 4,   4,    1, kWithdraw, kWithdraw, false, nullptr,            "RFC 7606 7.4"},
    {5,  "LOCAL_PREF",                 kWellKnown, kWithdraw, 4,   4,    1, kWithdraw, kWithdraw, true,  nullptr,            "RFC 7606 7.5"},
    {6,  "ATOMIC_AGGREGATE",           kWellKnown, kDiscard,  0,   0,    1, kDiscard,  kDiscard,  false, nullptr,            "RFC 7606 7.6"},
    {7,  "AGGREGATOR",                 kOptTrans,  kWithdraw, 0,   kAny, 1, kDiscard,  kDiscard,  false, C::aggregator,      "RFC 7606 7.7"},
    {8,  "COMMUNITIES",                kOptTrans,  kWithdraw, 4,   kAny, 4, kWithdraw, kWithdraw, false, nullptr,            "RFC 7606 7.8"},
    {9,  "ORIGINATOR_ID",              kOptNon,    kWithdraw, 4,   4,    1, kDiscard,  kWithdraw, true,  nullptr,            "RFC 7606 7.9"},
    {10, "CLUSTER_LIST",               kOptNon,    kWithdraw, 4,   kAny, 4, kDiscard,  kWithdraw, true,  nullptr,            "RFC 7606 7.10"},
    {14, "MP_REACH_NLRI",              kOptNon,    kWithdraw, 0,   kAny, 1, kReset,    kReset,    false, C::mp_reach,        "RFC 7606 7.11"},
    {15, "MP_UNREACH_NLRI",            kOptNon,    kWithdraw, 0,   kAny, 1, kReset,    kReset,    false, C::mp_unreach,      "RFC 7606 7.12"},
    {16, "EXTENDED COMMUNITIES",       kOptTrans,  kWithdraw, 8,   kAny, 8, kWithdraw, kWithdraw, false, nullptr,            "RFC 7606 7.14"},
    {17, "AS4_PATH",                   kOptTrans,  kWithdraw, 0,   kAny, 1, kDiscard,  kDiscard,  true,  C::as4_path,        "RFC 6793 6"},
    {18, "AS4_AGGREGATOR",             kOptTrans,  kWithdraw, 8,   8,    1, kDiscard,  kDiscard,  true,  C::as4_aggregator,  "RFC 6793 6"},
    {22, "PMSI_TUNNEL",                kOptTrans,  kKeep,     0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "RFC 6514 5"},
    {23, "TUNNEL_ENCAPSULATION",       kOptTrans,  kKeep,     0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "RFC 9012 2"},
    {24, "TRAFFIC_ENGINEERING",        kOptNon,    kKeep,     0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "RFC 5543"},
    {25, "IPV6 EXTENDED COMMUNITIES",  kOptTrans,  kWithdraw, 20,  kAny, 20, kWithdraw, kWithdraw, false, nullptr,           "RFC 7606 7.15"},
    {26, "AIGP",                       kOptNon,    kDiscard,  0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "RFC 7311 3.2"},
    {27, "PE_DISTINGUISHER_LABELS",    kOptTrans,  kKeep,     0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "RFC 6514 8"},
    {28, "ENTROPY_LABEL_CAPABILITY",   kOptTrans,  kKeep,     0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "RFC 7447"},
    {29, "BGP-LS",                     kOptNon,    kDiscard,  0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "RFC 9552 8.2.2"},
    {32, "LARGE_COMMUNITY",            kOptTrans,  kWithdraw, 12,  kAny, 12, kWithdraw, kWithdraw, false, nullptr,           "RFC 8092 6"},
    {33, "BGPSEC_PATH",                kOptNon,    kKeep,     0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "RFC 8205 3"},
    {35, "ONLY_TO_CUSTOMER",           kOptTrans,  kWithdraw, 4,   4,    1, kWithdraw, kWithdraw, false, nullptr,            "RFC 9234 5"},
    {36, "D-PATH",                     kOptTrans,  kKeep,     0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "BESS draft"},
    {37, "SFP",                        kOptTrans,  kKeep,     0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "RFC 9015 3.2"},
    {38, "BFD_DISCRIMINATOR",          kOptTrans,  kKeep,     0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "RFC 9026 3.1.6"},
    {39, "NEXT_HOP_CHARACTERISTICS",   kOptTrans,  kKeep,     0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "IDR draft"},
    {40, "PREFIX_SID",                 kOptTrans,  kDiscard,  0,   kAny, 1, kDiscard,  kDiscard,  false, C::prefix_sid,      "RFC 8669 6"},
    {128, "ATTR_SET",                  kOptTrans,  kKeep,     0,   kAny, 1, kKeep,     kKeep,     false, nullptr,            "RFC 6368 5"},
};
// clang-format on

}  // namespace

constinit const std::array<const AttributeRule*, 256> kAttributeRules = [] {
  std::array<const AttributeRule*, 256> rules{};
  for (const AttributeRule& rule : kRules) rules[rule.type] = &rule;
  return rules;
}();

std::string attribute_name(std::uint8_t type) {
  const AttributeRule* rule = attribute_rule(type);
  return rule != nullptr ? rule->name : "type " + std::to_string(type);
}

}  // namespace lapwing::bgp
