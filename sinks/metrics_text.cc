#include "sinks/metrics_text.h"

#include <fmt/format.h>

#include "sinks/text.h"

namespace lapwing::sinks {

void MetricsText::family(std::string_view name, Kind kind, std::string_view help) {
  static constexpr std::string_view kKinds[] = {"gauge", "counter", "histogram"};
  name_ = name;
  kind_ = kind;
  // Prometheus' own format names a counter's family as its samples.
  const char* suffix =
      kind == Kind::kCounter && format_ == Format::kPrometheus ? "_total" : "";
  out_ += fmt::format("# HELP {0}{1} {2}\n# TYPE {0}{1} {3}\n", name, suffix, help,
                      kKinds[static_cast<std::size_t>(kind)]);
}

void MetricsText::sample(Labels labels, double value) {
  begin(kind_ == Kind::kCounter ? "_total" : "", labels);
  put(value);
}

void MetricsText::histogram(const HistogramValue& value) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < value.counts.size(); ++i) {
    count += value.counts[i];
    const std::string bound = i < value.bounds.size() ? fmt::format("{}", value.bounds[i]) : "+Inf";
    begin("_bucket", {{"le", bound}});
    put(static_cast<std::int64_t>(count));
  }
  begin("_sum", {});
  put(value.sum);
  begin("_count", {});
  put(static_cast<std::int64_t>(count));
}

void MetricsText::end() {
  if (format_ == Format::kOpenMetrics) out_ += "# EOF\n";
}

void MetricsText::begin(std::string_view suffix, Labels labels) {
  out_ += name_;
  out_ += suffix;
  if (labels.size() == 0) return;
  char mark = '{';
  for (const auto& [name, text] : labels) {
    out_ += mark;
    mark = ',';
    out_ += name;
    out_ += "=\"";
    append_label(text);
    out_ += '"';
  }
  out_ += '}';
}

void MetricsText::put(std::int64_t value) {
  out_ += ' ';
  append_number(out_, value);
  out_ += '\n';
}

void MetricsText::put(double value) { out_ += fmt::format(" {}\n", value); }

void MetricsText::append_label(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = decode_utf8(text, i).size;
    if (text[i] == '\n')
      out_ += "\\n";
    else if (text[i] == '"' || text[i] == '\\')
      (out_ += '\\') += text[i];
    else
      append_utf8(out_, text.substr(i, size));
    i += size;
  }
}

}  // namespace lapwing::sinks
