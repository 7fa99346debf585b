// Nodes, and what they run.

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "client/text.h"
#include "client/views.h"

namespace berth {

std::string DeviceIndexes(const v1::Allocation& allocation) {
  return absl::StrJoin(allocation.devices(), ",",
                       [](std::string* out, const v1::DeviceAssignment& device) {
                         absl::StrAppend(out, device.index());
                       });
}

Json AllocationJson(const v1::Allocation& allocation) {
  Json json;
  json["id"] = allocation.id();
  json["job"] = allocation.job_id();
  json["attempt"] = allocation.attempt();
  json["rank"] = allocation.rank();
  json["node"] = allocation.node();
  json["tenant"] = allocation.tenant();
  json["devices"] = Json::array();
  for (const v1::DeviceAssignment& device : allocation.devices()) {
    json["devices"].push_back({
        {"index", device.index()       },
        {"class", device.device_class()},
        {"uuid",  device.uuid()        },
        {"milli", device.milli()       }
    });
  }
  json["state"] = allocation.state();
  json["funding"] = FundingJson(allocation.funding());
  json["start"] = TimeJson(allocation.reserved_at_us());
  json["end"] = TimeJson(allocation.released_at_us());
  json["evidence"] =
      allocation.release_evidence().empty() ? Json() : Json(allocation.release_evidence());
  return json;
}

Json NodeJson(const v1::Node& node, absl::Time now) {
  const absl::Time heartbeat = TimeFromMicros(node.last_heartbeat_us());
  const v1::NodeFacts& facts = node.facts();
  Json json;
  json["name"] = node.name();
  json["state"] = NodeStateWord(node.state());
  json["state_detail"] = node.state_detail();
  json["class"] = node.device_class();
  std::map<std::string, int> classes;
  for (const v1::Device& device : facts.devices()) {
    ++classes[device.device_class()];
  }
  json["classes"] = classes;
  json["devices_total"] = facts.devices_size();
  json["devices_free"] = node.devices_free();
  json["jobs"] = node.jobs();
  json["agent_version"] = facts.agent_version();
  json["last_heartbeat_seconds"] =
      heartbeat == absl::InfinitePast()
          ? Json()
          : Json(std::max(0.0, absl::ToDoubleSeconds(now - heartbeat)));
  json["address"] = facts.address();
  json["hostname"] = facts.hostname();
  json["cpu_milli"] = facts.capacity().cpu_milli();
  json["memory_bytes"] = facts.capacity().memory_mib() << 20;
  json["topology"] = {
      {"pod",   facts.topology().pod()  },
      {"block", facts.topology().block()},
      {"rack",  facts.topology().rack() }
  };
  json["labels"] = Json::object();
  for (const auto& [key, value] :
       std::map<std::string, std::string>(facts.labels().begin(), facts.labels().end())) {
    json["labels"][key] = value;
  }
  json["facilities"] =
      std::vector<std::string>(facts.facilities().begin(), facts.facilities().end());
  json["tenants"] = std::vector<std::string>(node.tenants().begin(), node.tenants().end());
  return json;
}

Listing AllocationListing(const std::vector<v1::Allocation>& allocations, absl::Time now) {
  Listing listing{.kind = "AllocationList", .columns = {}, .rows = {}, .name_field = "id"};
  listing.columns = {
      Right("ID"),       Right("JOB"),  Right("ATTEMPT", 2), Right("RANK"),
      Left("TENANT", 5), Left("NODE"),  Left("DEVICES"),     Left("FUNDING", 4),
      Left("STATE", 3),  Left("START"), Left("END"),         Left("EVIDENCE", 1),
  };
  for (const v1::Allocation& allocation : allocations) {
    Json json = AllocationJson(allocation);
    const Json funding = json["funding"];
    listing.rows.push_back({
        .json = std::move(json),
        .cells = {absl::StrCat(allocation.id()), absl::StrCat(allocation.job_id()),
                  absl::StrCat(allocation.attempt()), absl::StrCat(allocation.rank()),
                  allocation.tenant(), allocation.node(), DeviceIndexes(allocation),
                  funding.is_null() ? "" : funding.get<std::string>(), allocation.state(),
                  TimeForPeople(TimeFromMicros(allocation.reserved_at_us()), now),
                  TimeForPeople(TimeFromMicros(allocation.released_at_us()), now),
                  allocation.release_evidence()}
    });
  }
  return listing;
}

Listing NodeListing(const std::vector<v1::Node>& nodes, absl::Time now) {
  Listing listing{.kind = "NodeList", .columns = {}, .rows = {}, .name_field = "name"};
  listing.columns = {
      Left("NODE"),         Left("STATE"),
      Left("CLASS"),        Right("DEVICES"),
      Right("FREE"),        Right("JOBS", 1),
      Left("HEARTBEAT", 2), Left("AGENT", 4),
      Left("TENANTS", 3),   WideOnly(Left("ADDRESS")),
      Left("DETAIL"),
  };
  for (const v1::Node& node : nodes) {
    listing.rows.push_back({
        .json = NodeJson(node, now),
        .cells = {node.name(), NodeStateWord(node.state()), node.device_class(),
                  absl::StrCat(node.facts().devices_size()), absl::StrCat(node.devices_free()),
                  absl::StrCat(node.jobs()),
                  TimeForPeople(TimeFromMicros(node.last_heartbeat_us()), now),
                  node.facts().agent_version(), absl::StrJoin(node.tenants(), ","),
                  node.facts().address(), node.state_detail()}
    });
  }
  return listing;
}

}  // namespace berth
