#include "client/dependency_options.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "client/text.h"
#include "common/status_macros.h"

namespace berth {

absl::StatusOr<std::vector<NamedDependency>> ReadDependencies(const Arguments& arguments) {
  static constexpr std::pair<const char*, v1::DependencyKind> kKinds[] = {
      {"ok",      v1::DEPENDENCY_KIND_OK     },
      {"any",     v1::DEPENDENCY_KIND_ANY    },
      {"fail",    v1::DEPENDENCY_KIND_FAIL   },
      {"started", v1::DEPENDENCY_KIND_STARTED},
  };
  std::vector<NamedDependency> dependencies;
  for (const OptionValue* value : arguments.All("after")) {
    ASSIGN_OR_RETURN(const std::vector<std::string> parts, ListOf(*value));
    for (const std::string& part : parts) {
      const size_t colon = part.find(':');
      const std::string kind = colon == std::string::npos ? "ok" : part.substr(0, colon);
      NamedDependency& dependency = dependencies.emplace_back();
      dependency.jobs = {.text = colon == std::string::npos ? part : part.substr(colon + 1),
                         .origin = value->origin};
      const auto* const known =
          std::find_if(std::begin(kKinds), std::end(kKinds),
                       [&kind](const auto& entry) { return kind == entry.first; });
      if (known == std::end(kKinds)) {
        return UnknownWord(*value, kind, {"ok", "any", "fail", "started"});
      }
      dependency.kind = known->second;
      if (dependency.jobs.text.empty()) {
        return ValueError(*value, absl::StrCat("\"", CleanText(part), "\" names no job"),
                          "write it like ok:4811, any:last or ok:@tokenize");
      }
    }
  }
  return dependencies;
}

}  // namespace berth
