// Writes metrics as Prometheus text 0.0.4 or as OpenMetrics 1.0.
//
//   MetricsText m(out, MetricsText::Format::kPrometheus);
//   m.family("lapwing_peer_up", Kind::kGauge, "1 when the session is established.");
//   m.sample({{"peer", "edge1"}}, 1);
//
// A counter's family has the name without "_total"; its samples get it.
// Thread: any. Owns: nothing; the text outlives it.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "lapwing/measures.h"

namespace lapwing::sinks {

class MetricsText {
 public:
  enum class Format : std::uint8_t { kPrometheus, kOpenMetrics };
  enum class Kind : std::uint8_t { kGauge, kCounter, kHistogram };
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  MetricsText(std::string& out, Format format) : out_(out), format_(format) {}

  /// Begins a family; its samples follow.
  void family(std::string_view name, Kind kind, std::string_view help);
  template <std::integral T>
  void sample(Labels labels, T value) {
    begin(kind_ == Kind::kCounter ? "_total" : "", labels);
    put(static_cast<std::int64_t>(value));
  }
  void sample(Labels labels, double value);
  void histogram(const HistogramValue& value);

  /// A family of one sample without labels.
  template <typename T>
  void single(std::string_view name, Kind kind, std::string_view help, T value) {
    family(name, kind, help);
    sample({}, value);
  }
  /// OpenMetrics ends with a mark.
  void end();

 private:
  void begin(std::string_view suffix, Labels labels);
  void put(std::int64_t value);
  void put(double value);
  void append_label(std::string_view text);

  std::string& out_;
  const Format format_;
  Kind kind_ = Kind::kGauge;
  std::string name_;
};

}  // namespace lapwing::sinks
