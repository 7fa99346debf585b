#include "scheduler/core/topology.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace berth {
namespace {

using Groups = std::vector<std::vector<NodeId>>;

bool Between(TopologyLevel level) {
  return level == TopologyLevel::kRack || level == TopologyLevel::kBlock ||
         level == TopologyLevel::kPod;
}

TopologyLevel Above(TopologyLevel level) {
  return level == TopologyLevel::kRack    ? TopologyLevel::kBlock
         : level == TopologyLevel::kBlock ? TopologyLevel::kPod
                                          : TopologyLevel::kNone;
}
TopologyLevel Below(TopologyLevel level) {
  return level == TopologyLevel::kPod     ? TopologyLevel::kBlock
         : level == TopologyLevel::kBlock ? TopologyLevel::kRack
                                          : TopologyLevel::kNone;
}

// By domain, in the order of their first candidates. A node without a domain is alone.
Groups GroupBy(const Topology& topology, TopologyLevel level,
               const std::vector<NodeId>& candidates) {
  Groups groups;
  std::vector<int> slots(topology.Domains(level).size(), -1);
  for (NodeId node : candidates) {
    const int domain = topology.DomainOf(level, node);
    if (domain < 0 || slots[static_cast<size_t>(domain)] < 0) {
      if (domain >= 0) {
        slots[static_cast<size_t>(domain)] = static_cast<int>(groups.size());
      }
      groups.push_back({node});
    } else {
      groups[static_cast<size_t>(slots[static_cast<size_t>(domain)])].push_back(node);
    }
  }
  return groups;
}

// The smallest that holds `count`, but for the first `skip`; null: none does.
const std::vector<NodeId>* SmallestWith(const Groups& groups, int count, size_t skip = 0) {
  const std::vector<NodeId>* best = nullptr;
  for (size_t at = skip; at < groups.size(); ++at) {
    if (static_cast<int>(groups[at].size()) >= count &&
        (best == nullptr || groups[at].size() < best->size())) {
      best = &groups[at];
    }
  }
  return best;
}

void Take(const std::vector<NodeId>& from, int count, std::vector<NodeId>& picked) {
  picked.insert(picked.end(), from.begin(), from.begin() + count);
}

// `count` of the candidates, of whom there are enough, in as few domains of the level as possible.
void Pack(const Topology& topology, TopologyLevel level, const std::vector<NodeId>& candidates,
          int count, std::vector<NodeId>& picked) {
  if (!Between(level) || static_cast<int>(candidates.size()) == count) {
    Take(candidates, count, picked);
    return;
  }
  Groups groups = GroupBy(topology, level, candidates);
  std::stable_sort(groups.begin(), groups.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  for (size_t taken = 0; taken < groups.size(); ++taken) {
    if (const auto* holds = SmallestWith(groups, count, taken); holds != nullptr) {
      Pack(topology, Below(level), *holds, count, picked);
      return;
    }
    const auto all = static_cast<int>(groups[taken].size());
    Take(groups[taken], all, picked);
    count -= all;
  }
}

}  // namespace

size_t Topology::Slot(TopologyLevel level) {
  return static_cast<size_t>(level) - static_cast<size_t>(TopologyLevel::kRack);
}

const std::vector<NodeSet>& Topology::Domains(TopologyLevel level) const {
  return levels_.at(Slot(level)).domains;
}

const Topology::Place& Topology::PlaceOf(NodeId node) const {
  static const Place kNowhere;
  return node.value() < places_.size() ? places_[node.value()] : kNowhere;
}

int Topology::DomainOf(TopologyLevel level, NodeId node) const {
  return PlaceOf(node).domains.at(Slot(level));
}

void Topology::SortByPlace(std::vector<NodeId>& nodes) const {
  std::sort(nodes.begin(), nodes.end(), [this](NodeId a, NodeId b) {
    const int first = PlaceOf(a).path;
    const int second = PlaceOf(b).path;
    return first == second
               ? a < b
               : paths_[static_cast<size_t>(first)] < paths_[static_cast<size_t>(second)];
  });
}

void Topology::Put(NodeId node, const TopologyPath& path) {
  if (node.value() >= places_.size()) {
    places_.resize(node.value() + 1);
  }
  // A separator that sorts before every character of a name.
  const std::string block = absl::StrCat(path.pod, "\n", path.block);
  const std::string rack = absl::StrCat(block, "\n", path.rack);
  const std::array<std::pair<bool, const std::string*>, kLevels> names = {
      {{!path.rack.empty(), &rack}, {!path.block.empty(), &block}, {!path.pod.empty(), &path.pod}}
  };
  Place& place = places_[node.value()];
  for (size_t slot = 0; slot < kLevels; ++slot) {
    Level& level = levels_.at(slot);
    int& domain = place.domains.at(slot);
    if (domain >= 0) {
      level.domains[static_cast<size_t>(domain)].erase(node);
    }
    domain = -1;
    if (!names.at(slot).first) {
      continue;
    }
    const auto known =
        level.numbers.emplace(*names.at(slot).second, static_cast<int>(level.domains.size()));
    if (known.second) {
      level.domains.emplace_back();
    }
    domain = known.first->second;
    level.domains[static_cast<size_t>(domain)].insert(node);
  }
  const auto known = path_numbers_.emplace(rack, static_cast<int>(paths_.size()));
  if (known.second) {
    paths_.push_back(rack);
  }
  place.path = known.first->second;
}

std::vector<NodeId> Gather(const Topology& topology, const Gathering& wanted,
                           const std::vector<NodeId>& candidates) {
  const int count = std::min(wanted.count, static_cast<int>(candidates.size()));
  std::vector<NodeId> picked;
  if (count < wanted.least || count == 0) {
    return picked;
  }
  const bool strict = wanted.strict && Between(wanted.level);
  for (TopologyLevel level = wanted.level; Between(level); level = Above(level)) {
    const Groups groups = GroupBy(topology, level, candidates);
    const std::vector<NodeId>* holds = SmallestWith(groups, count);
    if (holds == nullptr && strict) {
      holds = &*std::max_element(groups.begin(), groups.end(),
                                 [](const auto& a, const auto& b) { return a.size() < b.size(); });
    }
    const int here = holds == nullptr ? 0 : std::min(count, static_cast<int>(holds->size()));
    if (here >= (strict ? wanted.least : count)) {
      Pack(topology, Below(level), *holds, here, picked);
      return picked;
    }
    if (strict) {
      return picked;
    }
  }
  Pack(topology, Between(wanted.level) ? TopologyLevel::kPod : TopologyLevel::kNone, candidates,
       count, picked);
  return picked;
}

int LargestGathering(const Topology& topology, TopologyLevel level,
                     const std::vector<NodeId>& candidates) {
  if (!Between(level)) {
    return static_cast<int>(candidates.size());
  }
  size_t most = 0;
  for (const std::vector<NodeId>& group : GroupBy(topology, level, candidates)) {
    most = std::max(most, group.size());
  }
  return static_cast<int>(most);
}

}  // namespace berth
