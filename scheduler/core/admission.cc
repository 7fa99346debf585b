#include "scheduler/core/admission.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"

#include "common/error_detail.h"
#include "scheduler/core/suitability.h"

namespace berth {
namespace {

// A bound that the job breaks whatever else happens.
struct Objection {
  std::string code;
  std::string message;
  std::string why;
  std::string fix;
};

absl::Status ToStatus(const Objection& objection) {
  return WithDetail(absl::FailedPreconditionError(objection.message),
                    {.code = objection.code,
                     .why = {objection.why},
                     .fix = {objection.fix},
                     .refused_by_entitlement = true});
}

std::string Shape(const GangShape& gang, absl::string_view class_name) {
  return absl::StrFormat("%s%d %s x %d %s", gang.is_elastic() ? "at least " : "",
                         gang.least_nodes(), gang.least_nodes() == 1 ? "node" : "nodes",
                         gang.devices_per_node, class_name);
}

std::optional<Objection> CheckLimit(const Cluster& cluster, const JobSpec& spec,
                                    const QuotaKey& key) {
  const QuotaLimits limits = cluster.quota().Limits(key);
  const int64_t devices = spec.gang.least_devices();
  if (!limits.limit.has_value() || devices <= *limits.limit) {
    return std::nullopt;
  }
  const std::string& name = cluster.ClassName(key.device_class);
  const std::string owner =
      key.project
          ? absl::StrFormat("project \"%s\"", cluster.quota().FindProject(key.project)->name)
          : absl::StrFormat("\"%s\"", cluster.quota().FindTenant(key.tenant)->name);
  return Objection{
      .code = key.project ? "B2102" : "B2101",
      .message = absl::StrFormat("job asks for %s = %d devices, but %s may hold at most %d",
                                 Shape(spec.gang, name), devices, owner, *limits.limit),
      .why = absl::StrFormat("entitlement %d, limit %d of %s; the job can never start",
                             limits.entitlement, *limits.limit, name),
      .fix =
          absl::StrFormat("ask for %d devices or fewer, or have the limit raised", *limits.limit)};
}

std::optional<Objection> CheckEntitlement(const Cluster& cluster, const JobSpec& spec,
                                          ClassId device_class) {
  const int64_t devices = spec.gang.least_devices();
  const int64_t entitlement =
      cluster.quota().Limits({spec.tenant, ProjectId(), device_class}).entitlement;
  if ((spec.preemptible && spec.may_borrow) || devices <= entitlement) {
    return std::nullopt;
  }
  return Objection{
      .code = "B2303",
      .message =
          absl::StrFormat("job asks for %d %s and may not be recalled, but its tenant owns %d",
                          devices, cluster.ClassName(device_class), entitlement),
      .why = "a job that is not preemptible or may not borrow runs on owned devices only",
      .fix = absl::StrFormat(
          "ask for %d devices or fewer, or leave out --no-borrow and --no-preempt", entitlement)};
}

// Whether one ring of the node has the devices of a member, where they may not span rings.
bool HasRing(const GangShape& gang, ClassId device_class, const NodeSite& site) {
  return gang.topology != TopologyLevel::kRing || !gang.topology_required ||
         site.LargestRing(site.Known(device_class)) >= gang.devices_per_node;
}

// Whether the node fits a member by labels, size and devices, were it empty.
bool IsSuitable(const Cluster& cluster, const GangShape& gang, ClassId device_class,
                const Node& node) {
  const NodeSite& site = cluster.free_index().Site(node.id);
  const bool enough =
      !device_class || (CountDevices(site.Known(device_class)) >= gang.devices_per_node &&
                        HasRing(gang, device_class, site));
  return enough && node.state != NodeState::kRemoved && gang.per_node.Fits(node.facts.capacity) &&
         IsSuitable(gang, node);
}

// Nodes for the members of one gang, of which those of one place count that has the most, if the
// gang may not be spread. A node whose agent names no such place is one by itself.
class NodeTally {
 public:
  NodeTally(const Topology& topology, const GangShape& gang)
      : topology_(topology),
        level_(gang.topology),
        may_spread_(!gang.topology_required || level_ < TopologyLevel::kRack),
        least_(gang.least_nodes()),
        by_place_(may_spread_ ? 0 : topology.Domains(level_).size()) {}

  void Add(NodeId node) {
    ++all_;
    if (may_spread_) {
      together_ = all_;
      return;
    }
    const int place = topology_.DomainOf(level_, node);
    together_ = std::max(together_, place < 0 ? 1 : ++by_place_.at(static_cast<size_t>(place)));
  }

  int all() const { return all_; }
  int together() const { return together_; }
  bool IsEnough() const { return together_ >= least_; }

 private:
  const Topology& topology_;
  const TopologyLevel level_;
  const bool may_spread_;
  const int least_;
  std::vector<int> by_place_;
  int all_ = 0;
  int together_ = 0;
};

// It takes jobs, or is expected to in a moment.
bool IsNear(NodeState state) {
  return state == NodeState::kReady || state == NodeState::kSuspect ||
         state == NodeState::kJoined || state == NodeState::kReconciling;
}

// Known nodes that fit the gang by labels, size and devices, were they empty; those beyond what is
// enough are not counted.
NodeTally SuitableNodes(const Cluster& cluster, const GangShape& gang, ClassId device_class) {
  NodeTally tally(cluster.free_index().topology(), gang);
  const auto judge = [&](const Node& node) {
    if (IsSuitable(cluster, gang, device_class, node)) {
      tally.Add(node.id);
    }
    return !tally.IsEnough();
  };
  if (device_class) {
    const auto& nodes = cluster.free_index().OfClass(device_class).known.by_count();
    bool more = true;
    for (auto devices = static_cast<size_t>(gang.devices_per_node); more && devices < nodes.size();
         ++devices) {
      more = nodes[devices].ForEach(nullptr, [&](NodeId id) { return judge(cluster.GetNode(id)); });
    }
    return tally;
  }
  for (const auto& [id, node] : cluster.nodes()) {
    if (!judge(node)) {
      break;
    }
  }
  return tally;
}

// "; no node has the label zone=est" for those that none has.
std::string UnknownLabels(const Cluster& cluster, const GangShape& gang) {
  std::string text;
  for (const auto& asked : gang.node_labels) {
    const bool is_known =
        std::any_of(cluster.nodes().begin(), cluster.nodes().end(), [&](const auto& entry) {
          const auto label = entry.second.facts.labels.find(asked.first);
          return label != entry.second.facts.labels.end() && label->second == asked.second;
        });
    text +=
        is_known ? "" : absl::StrFormat("; no node has the label %s=%s", asked.first, asked.second);
  }
  return text;
}

// " in one ring" for a member that may not span rings.
absl::string_view InOneRing(const GangShape& gang) {
  return gang.topology_required && gang.topology == TopologyLevel::kRing ? " in one ring" : "";
}

// There are enough nodes for the gang, but not in one place of the level that it asks for.
Objection TooFarApart(const Cluster& cluster, const GangShape& gang, ClassId device_class,
                      const NodeTally& suitable) {
  const absl::string_view level = Name(gang.topology);
  const int together = suitable.together();
  const std::string shape = device_class ? Shape(gang, cluster.ClassName(device_class))
                                         : absl::StrFormat("%d nodes", gang.least_nodes());
  return {
      .code = "B3303",
      .message = absl::StrFormat("job asks for %s in one %s, but no %s has more than %d such %s",
                                 shape, level, level, together, together == 1 ? "node" : "nodes"),
      .why = absl::StrFormat(
          "there are enough, but apart; a node whose agent names no %s stands alone", level),
      .fix = absl::StrFormat(
          "ask for %s, or only prefer it: --topology same-%s",
          together == 1 ? "1 node" : absl::StrFormat("%d nodes or fewer", together), level)};
}

// "; no node has more than 2 cores and 15 GiB of memory", where the job asks for some.
std::string LargestNode(const Cluster& cluster, const GangShape& gang) {
  HostResources most;
  for (const auto& [id, node] : cluster.nodes()) {
    most.cpu_milli = std::max(most.cpu_milli, node.facts.capacity.cpu_milli);
    most.memory_mib = std::max(most.memory_mib, node.facts.capacity.memory_mib);
  }
  return gang.per_node == HostResources{}
             ? ""
             : absl::StrFormat("; no node has more than %g cores and %.1f GiB of memory",
                               static_cast<double>(most.cpu_milli) / 1000,
                               static_cast<double>(most.memory_mib) / 1024);
}

std::optional<Objection> CheckCapacity(const Cluster& cluster, const GangShape& gang,
                                       ClassId device_class) {
  const NodeTally suitable = SuitableNodes(cluster, gang, device_class);
  if (suitable.IsEnough()) {
    return std::nullopt;
  }
  if (suitable.all() >= gang.least_nodes()) {
    return TooFarApart(cluster, gang, device_class, suitable);
  }
  const std::string& name = cluster.ClassName(device_class);
  const bool constrained =
      !gang.node_labels.empty() || !gang.excluded_nodes.empty() || gang.per_node != HostResources{};
  return Objection{
      .code = "B3301",
      .message = device_class
                     ? absl::StrFormat("job asks for %s%s, but the center has %d such nodes",
                                       Shape(gang, name), InOneRing(gang), suitable.all())
                     : absl::StrFormat("job asks for %d nodes, but the center has %d that suit it",
                                       gang.least_nodes(), suitable.all()),
      .why = (device_class
                  ? absl::StrFormat(
                        "%d %s on all nodes together%s", cluster.KnownDevices(device_class), name,
                        constrained ? "; labels, exclusions, cores and memory count too" : "")
                  : "labels, exclusions, cores and memory per node count") +
             LargestNode(cluster, gang) + UnknownLabels(cluster, gang),
      .fix = "ask for another shape; `berth nodes` shows what there is"};
}

// What the others never lend cannot be borrowed, however idle the center is.
std::optional<Objection> CheckNonLendable(const Cluster& cluster, const JobSpec& spec,
                                          ClassId device_class) {
  const int64_t devices = spec.gang.least_devices();
  const QuotaKey own{spec.tenant, ProjectId(), device_class};
  int64_t kept = 0;
  for (const auto& [key, limits] : cluster.quota().limits()) {
    if (key.device_class == device_class && !key.project && key.tenant != spec.tenant) {
      kept += limits.non_lendable;
    }
  }
  const int64_t known = cluster.KnownDevices(device_class);
  if (kept == 0 || devices <= cluster.quota().Limits(own).entitlement || devices <= known - kept) {
    return std::nullopt;
  }
  return Objection{.code = "B2302",
                   .message = absl::StrFormat("job asks for %d %s, but at most %d can be had",
                                              devices, cluster.ClassName(device_class),
                                              std::max<int64_t>(known - kept, 0)),
                   .why = absl::StrFormat(
                       "of %d devices %d are kept for their owners and never lent", known, kept),
                   .fix = "ask for fewer devices"};
}

std::optional<Objection> CheckClass(const Cluster& cluster, const JobSpec& spec,
                                    ClassId device_class) {
  if (device_class) {
    for (const QuotaKey& key : {
             QuotaKey{spec.tenant, ProjectId(),  device_class},
             QuotaKey{spec.tenant, spec.project, device_class}
    }) {
      if (auto refusal = CheckLimit(cluster, spec, key); refusal.has_value()) {
        return refusal;
      }
    }
    if (auto refusal = CheckEntitlement(cluster, spec, device_class); refusal.has_value()) {
      return refusal;
    }
    if (auto refusal = CheckNonLendable(cluster, spec, device_class); refusal.has_value()) {
      return refusal;
    }
  }
  return CheckCapacity(cluster, spec.gang, device_class);
}

}  // namespace

bool HasPlaceWithout(const Cluster& cluster, const JobSpec& spec,
                     const std::vector<NodeId>& avoided) {
  for (ClassId device_class : ClassOrder(cluster, spec.tenant, spec.gang)) {
    if (CheckClass(cluster, spec, device_class).has_value()) {
      continue;  // the quotas let it have none of these
    }
    NodeTally tally(cluster.free_index().topology(), spec.gang);
    for (auto node = cluster.nodes().begin(); !tally.IsEnough() && node != cluster.nodes().end();
         ++node) {
      const bool near = IsNear(node->second.state) &&
                        std::find(avoided.begin(), avoided.end(), node->first) == avoided.end();
      if (near && IsSuitable(cluster, spec.gang, device_class, node->second)) {
        tally.Add(node->first);
      }
    }
    if (tally.IsEnough()) {
      return true;
    }
  }
  return false;
}

std::vector<ClassId> ClassOrder(const Cluster& cluster, TenantId tenant, const GangShape& gang) {
  if (gang.devices_per_node == 0) {
    return {ClassId()};
  }
  if (!gang.classes.empty()) {
    return gang.classes;
  }
  std::vector<std::pair<std::pair<bool, std::string>, ClassId>> order;
  for (const auto& [id, name] : cluster.classes()) {
    const bool owned = cluster.quota().Limits({tenant, ProjectId(), id}).entitlement > 0;
    order.push_back({
        {!owned, name},
        id
    });
  }
  std::sort(order.begin(), order.end());
  std::vector<ClassId> classes;
  classes.reserve(order.size());
  for (const auto& entry : order) {
    classes.push_back(entry.second);
  }
  return classes;
}

absl::Status CheckAdmission(const Cluster& cluster, const JobSpec& spec) {
  const std::vector<ClassId> classes = ClassOrder(cluster, spec.tenant, spec.gang);
  std::optional<Objection> first;
  for (ClassId device_class : classes) {
    auto refusal = CheckClass(cluster, spec, device_class);
    if (!refusal.has_value()) {
      return absl::OkStatus();
    }
    if (!first.has_value()) {
      first = std::move(refusal);
    }
  }
  if (!first.has_value()) {
    first = Objection{.code = "B3301",
                      .message = "job asks for devices, but the center has none yet",
                      .why = "no node has ever reported a device",
                      .fix = "`berth nodes` shows what there is; --devices 0 asks for none"};
  }
  return ToStatus(*first);
}

std::vector<std::string> AdmissionNotes(const Cluster& cluster, const JobSpec& spec) {
  std::vector<std::string> notes;
  const int64_t devices = spec.gang.devices();
  if (devices == 0) {
    return notes;
  }
  int64_t entitlement = 0;
  for (ClassId device_class : ClassOrder(cluster, spec.tenant, spec.gang)) {
    entitlement = std::max(
        entitlement, cluster.quota().Limits({spec.tenant, ProjectId(), device_class}).entitlement);
  }
  const int64_t least = spec.gang.least_devices();
  if (devices > entitlement && least < devices && least <= entitlement) {
    notes.push_back(absl::StrFormat(
        "needs %d to %d, you own %d: on more than that it is borrowed, and with %s notice shrinks "
        "to %d, then is recalled as a whole",
        least, devices, entitlement, absl::FormatDuration(spec.grace), least));
  } else if (devices > entitlement) {
    notes.push_back(absl::StrFormat(
        "needs %d, you own %d: the whole job can be recalled with %s notice%s", devices,
        entitlement, absl::FormatDuration(spec.grace),
        entitlement > 0 ? absl::StrFormat("; ask for %d or less to keep it", entitlement) : ""));
  }
  return notes;
}

}  // namespace berth
