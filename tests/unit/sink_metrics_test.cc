// The metrics, read by a parser that forgives nothing; and the dashboard, drawn from their names.
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "sink_http_bench.h"

namespace lapwing::sinks {
namespace {

struct Family {
  std::string type;
  bool help = false;
  std::set<std::string> samples;  // name and labels
};

bool is_metric_name(const std::string& text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) == 0 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == ':';
         });
}

/// Reads either format; `wrong` holds the first fault.
class Exposition {
 public:
  Exposition(const std::string& text, bool open_metrics) : open_(open_metrics) {
    std::istringstream lines(text);
    if (!text.ends_with('\n')) wrong = "the last line does not end";
    for (std::string line; wrong.empty() && std::getline(lines, line);) {
      if (ended_) wrong = "something follows # EOF";
      read(line);
      if (!wrong.empty()) wrong += ": " + line;
    }
    if (open_ && !ended_ && wrong.empty()) wrong = "there is no # EOF";
    for (const auto& [name, family] : families)
      if (wrong.empty() && (!family.help || family.type.empty())) wrong = name + " is not described";
  }

  std::map<std::string, Family> families;
  std::set<std::string> names;  // of samples
  std::string wrong;

 private:
  void read(const std::string& line) {
    if (line == "# EOF") {
      ended_ = true;
      if (!open_) wrong = "# EOF is OpenMetrics";
      return;
    }
    if (line.starts_with("# HELP ") || line.starts_with("# TYPE ")) return read_comment(line);
    if (line.empty() || line[0] == '#') {
      wrong = "neither comment nor sample";
      return;
    }
    read_sample(line);
  }

  void read_comment(const std::string& line) {
    const std::size_t end = line.find(' ', 7);
    const std::string name = line.substr(7, end - 7);
    if (end == line.npos || !is_metric_name(name)) {
      wrong = "no name";
      return;
    }
    if (name != current_ && families.contains(name)) wrong = "a family in two places";
    current_ = name;
    Family& family = families[name];
    if (line[2] == 'H') {
      if (std::exchange(family.help, true)) wrong = "described twice";
      return;
    }
    if (!family.type.empty()) wrong = "two types";
    family.type = line.substr(end + 1);
    const bool total = name.ends_with("_total");
    if (family.type != "gauge" && family.type != "counter" && family.type != "histogram")
      wrong = "no such type";
    if (family.type == "counter" && total == open_) wrong = "a counter's family is misnamed";
    if (family.type == "gauge" && total) wrong = "a gauge is called _total";
  }

  void read_sample(const std::string& line) {
    const std::size_t name_end = line.find_first_of("{ ");
    const std::string name = line.substr(0, name_end);
    if (!is_metric_name(name)) {
      wrong = "no name";
      return;
    }
    std::size_t at = name_end;
    std::string bound;
    if (line[at] == '{' && !read_labels(line, at, bound)) return;
    if (line[at] != ' ') {
      wrong = "no value";
      return;
    }
    std::size_t used = 0;
    const std::string number = line.substr(at + 1);
    double value = 0;
    try {
      value = std::stod(number, &used);
    } catch (const std::exception&) {
    }
    if (number.empty() || used != number.size()) wrong = "no number";
    Family& family = families[current_];
    if (!family.samples.insert(line.substr(0, at)).second) wrong = "a sample twice";
    names.insert(name);
    check_name(family, name, bound, value);
  }

  void check_name(const Family& family, const std::string& name, const std::string& bound,
                  double value) {
    if (family.type == "histogram") {
      const std::string suffix = name.substr(std::min(name.size(), current_.size()));
      if (!name.starts_with(current_) ||
          (suffix != "_bucket" && suffix != "_sum" && suffix != "_count"))
        wrong = "not of this histogram";
      if (suffix == "_bucket") {
        if (bound.empty() || value < bucket_) wrong = "buckets are not cumulative";
        bucket_ = bound == "+Inf" ? 0 : value;
        last_ = value;
      }
      if (suffix == "_count" && value != last_) wrong = "the count is not that of +Inf";
      return;
    }
    const std::string wanted =
        family.type == "counter" && open_ ? current_ + "_total" : current_;
    if (name != wanted) wrong = "a sample of another family";
    if (family.type == "counter" && value < 0) wrong = "a negative counter";
  }

  bool read_labels(const std::string& line, std::size_t& at, std::string& bound) {
    std::set<std::string> seen;
    do {
      const std::size_t equals = line.find("=\"", ++at);
      const std::string label = line.substr(at, equals - at);
      if (equals == line.npos || !is_metric_name(label) || !seen.insert(label).second) {
        wrong = "a label that is none, or twice";
        return false;
      }
      std::string value;
      for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] == '\\' && ++at < line.size() && line[at] != 'n' && line[at] != '"' &&
            line[at] != '\\') {
          wrong = "no such escape";
          return false;
        }
        value += line[at];
      }
      if (label == "le") bound = value;
      ++at;
    } while (at < line.size() && line[at] == ',');
    if (at >= line.size() || line[at] != '}') wrong = "labels that do not end";
    ++at;
    return wrong.empty();
  }

  const bool open_;
  bool ended_ = false;
  std::string current_;
  double bucket_ = 0, last_ = 0;
};

TEST_CASE("metrics: both formats are right to the letter, with the same families") {
  Bench bench;
  const Answer plain = bench.get("/metrics");
  const Answer open =
      bench.get("/metrics", "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n");
  CHECK(plain.has("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  CHECK(open.has(
      "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
  const Exposition a(plain.body, false), b(open.body, true);
  CHECK(a.wrong == "");
  CHECK(b.wrong == "");
  CHECK(a.names == b.names);
  CHECK(a.families.size() > 45);
  for (const auto& entry : a.families) {
    const std::string& name = entry.first;
    CHECK_MESSAGE((name.starts_with("lapwing_") || name.starts_with("process_")), name);
  }
}

TEST_CASE("metrics: what was measured is there") {
  Bench bench;
  const std::string text = bench.get("/metrics").body;
  for (const char* line :
       {"lapwing_peer_routes{peer=\"edge 1/a\",family=\"ipv6-unicast\"} 2\n",
        "lapwing_peer_state{peer=\"edge 1/a\",state=\"Established\"} 1\n",
        "lapwing_peer_state{peer=\"edge 1/a\",state=\"Idle\"} 0\n",
        "lapwing_rib_bytes{part=\"prefixes\"} 36\n", "lapwing_rib_changes_total 9\n",
        "lapwing_event_seconds_bucket{le=\"0.002\"} 1\n",
        "lapwing_event_seconds_bucket{le=\"0.02\"} 2\n",
        "lapwing_event_seconds_bucket{le=\"60\"} 2\n",
        "lapwing_event_seconds_bucket{le=\"+Inf\"} 3\n", "lapwing_event_seconds_count 3\n",
        "lapwing_detector_seconds_total{detector=\"new-upstream\"} 5\n",
        "lapwing_detector_enabled{detector=\"path-change\"} 0\n",
        "lapwing_peer_malformed_total{peer=\"edge 1/a\",action=\"treat_as_withdraw\"} 0\n"})
    CHECK_MESSAGE(text.find(line) != std::string::npos, line);
  CHECK(text.find("process_resident_memory_bytes 0\n") == std::string::npos);
  CHECK(text.find("process_start_time_seconds 0\n") == std::string::npos);
}

TEST_CASE("metrics: the dashboard and the operator's guide name what exists") {
  Bench bench;
  const Exposition metrics(bench.get("/metrics").body, false);
  // Of neighbours that are down, these have no sample.
  std::set<std::string> names = metrics.names;
  for (const auto& [name, family] : metrics.families) names.insert(name);
  for (const char* file : {"/docs/grafana.json", "/docs/OPERATION.md"}) {
    std::ifstream in(std::string(LAPWING_SOURCE_DIR) + file);
    REQUIRE_MESSAGE(in.good(), file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    std::size_t found = 0;
    for (const std::string prefix : {"lapwing_", "process_"}) {
      for (auto at = text.find(prefix); at != text.npos; at = text.find(prefix, at + 1)) {
        const auto end = std::find_if_not(text.begin() + static_cast<long>(at), text.end(),
                                          [](unsigned char c) { return std::isalnum(c) || c == '_'; });
        const std::string name(text.begin() + static_cast<long>(at), end);
        if (name == "lapwing_") continue;  // the package's name in the guide
        CHECK_MESSAGE(names.contains(name), file, ": ", name);
        ++found;
      }
    }
    CHECK(found >= 8);
  }
}

TEST_CASE("metrics: the parser of this test sees what is wrong") {
  const std::string good = "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c\"} 1\n";
  CHECK(Exposition(good, false).wrong == "");
  CHECK(Exposition(good, true).wrong != "");
  for (const char* bad :
       {"a 1\n", "# HELP a x\n# TYPE a gauge\na 1\na 1\n", "# HELP a x\n# TYPE a gauge\na x\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"c\\d\"} 1\n", "# HELP a x\n# TYPE a gauge\nb 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"c\",b=\"d\"} 1\n", "# HELP a x\n# TYPE a counter\na 1\n",
        "# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n"})
    CHECK_MESSAGE(Exposition(bad, false).wrong != "", bad);
}

}  // namespace
}  // namespace lapwing::sinks
