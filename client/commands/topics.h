#ifndef BERTH_CLIENT_COMMANDS_TOPICS_H_
#define BERTH_CLIENT_COMMANDS_TOPICS_H_

// Texts of `berth help TOPIC`.

#include <span>

namespace berth {

struct Topic {
  const char* name;
  const char* text;
};

std::span<const Topic> HelpTopics();

}  // namespace berth

#endif  // BERTH_CLIENT_COMMANDS_TOPICS_H_
