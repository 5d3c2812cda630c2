// A text with places for what an event says: what makes a webhook's body of another shape.
//
// "{{name}}" stands for a parameter of event_params.h, or type, severity, time, cause, rule or summary;
// for nothing where the event has none of that name. What is put in is escaped for a JSON string
// (without the quotes), so that a template such as {"text":"{{summary}}"} stays JSON whatever the
// event holds; "{{name|raw}}" puts it in as it is, as valid UTF-8.
// Thread: any once made.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/event.h"

namespace lapwing::sinks {

class EventTemplate {
 public:
  /// nullopt: `error` says where it is wrong.
  static std::optional<EventTemplate> parse(std::string_view text, std::string& error);

  std::string fill(const Event& event) const;

 private:
  struct Part {
    std::string text;  // as it is, or a name
    bool place = false;
    bool raw = false;
  };
  std::vector<Part> parts_;
};

}  // namespace lapwing::sinks
