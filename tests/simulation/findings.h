#ifndef BERTH_TESTS_SIMULATION_FINDINGS_H_
#define BERTH_TESTS_SIMULATION_FINDINGS_H_

// What detectors have looked at, and the first property that they found broken. A detector that
// never had anything to look at has proven nothing, so each counts its cases.

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace berth {

struct Findings {
  std::map<std::string, int64_t> cases;  // by property
  std::string property;                  // the first broken one; "" for none
  std::string detail;
  std::set<std::string> broken;  // all of them, up to where the history ended

  bool ok() const { return property.empty(); }
  void Saw(const char* what, int64_t count = 1) { cases[what] += count; }
  // Counts the case, and the property as broken unless it holds.
  void Expect(const char* what, bool holds, const std::string& about) {
    Saw(what);
    if (!holds) {
      broken.insert(what);
    }
    if (!holds && ok()) {
      property = what;
      detail = about;
    }
  }
};

}  // namespace berth

#endif  // BERTH_TESTS_SIMULATION_FINDINGS_H_
