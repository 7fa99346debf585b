#ifndef BERTH_SCHEDULER_CORE_ROUND_SCOPE_H_
#define BERTH_SCHEDULER_CORE_ROUND_SCOPE_H_

// Which device classes a round looks at: those in which something has happened since the last one
// (Cluster::stirred), which found nothing more to do in the others. Of these it looks at those jobs
// only that name several classes. Owned by the round; the cluster must not change meanwhile.

#include <map>
#include <set>

#include "scheduler/core/cluster.h"

namespace berth {

class RoundScope {
 public:
  explicit RoundScope(const Cluster& cluster);

  // All jobs that queue for the class. Jobs that name none are always looked at.
  bool LooksAt(ClassId device_class) const {
    return IsStirred(device_class) || reopened_.contains(device_class);
  }
  // Whether these are all classes that somebody waits for.
  bool IsWhole() const;
  // The anchors of the other classes: nothing has changed for them.
  const std::map<ClassId, const Anchor*>& kept_anchors() const { return kept_anchors_; }

 private:
  bool IsStirred(ClassId device_class) const {
    return all_ || !device_class || cluster_.stirred().contains(device_class);
  }
  // Whether somebody who may start in several classes stands behind a head that he may not pass:
  // when his turn comes, no round has looked at him in any of them.
  bool AnybodyMayTurnUp() const;

  const Cluster& cluster_;
  bool all_;
  // Those in which nothing has happened, but whose anchor may start in a class in which something
  // has: there it goes first.
  std::set<ClassId> reopened_;
  std::map<ClassId, const Anchor*> kept_anchors_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_ROUND_SCOPE_H_
