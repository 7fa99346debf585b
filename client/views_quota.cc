#include <utility>

#include "absl/strings/str_cat.h"

#include "client/views.h"

namespace berth {
namespace {

Json EditJson(const v1::QuotaEdit& edit) {
  const v1::QuotaLimits& limits = edit.limits();
  Json json;
  json["effective_at"] = TimeJson(edit.effective_at_us());
  json["entitlement"] = limits.entitlement();
  json["limit"] = limits.has_limit() ? Json(limits.limit()) : Json();
  json["non_lendable"] = limits.non_lendable();
  json["weight"] = limits.has_weight() ? Json(limits.weight()) : Json();
  json["block_level"] = limits.block_level().empty() ? Json() : Json(limits.block_level());
  json["blocks"] = limits.block_level_count();
  json["user"] = edit.user();
  return json;
}

bool IsOf(const v1::QuotaEdit& edit, const v1::QuotaRow& row) {
  return edit.tenant() == row.tenant() && edit.project() == row.project() &&
         edit.device_class() == row.device_class();
}

}  // namespace

Json QuotaJson(const v1::QuotaRow& row) {
  const v1::QuotaLimits& limits = row.limits();
  Json json;
  json["tenant"] = row.tenant();
  json["project"] = row.project().empty() ? Json() : Json(row.project());
  json["class"] = row.device_class();
  json["entitlement"] = limits.entitlement();
  json["limit"] = limits.has_limit() ? Json(limits.limit()) : Json();
  json["non_lendable"] = limits.non_lendable();
  json["weight"] = limits.has_weight() ? Json(limits.weight()) : Json();
  json["block_level"] = limits.block_level().empty() ? Json() : Json(limits.block_level());
  json["blocks"] = limits.block_level_count();
  json["used"] = row.used();
  json["owned"] = row.owned();
  json["borrowed"] = row.borrowed();
  json["lent"] = row.lent();
  json["pending"] = row.pending();
  json["capacity"] = row.capacity();
  return json;
}

Listing QuotaListing(const std::vector<v1::QuotaRow>& rows,
                     const std::vector<v1::QuotaEdit>& edits) {
  Listing listing{.kind = "QuotaList", .columns = {}, .rows = {}, .name_field = "tenant"};
  listing.columns = {
      Left("TENANT"), Left("PROJECT", 1),  Left("CLASS"),        Right("ENTITLEMENT"),
      Right("LIMIT"), Right("USED"),       Right("OWNED", 2),    Right("BORROWED"),
      Right("LENT"),  Right("PENDING", 3), Right("CAPACITY", 4),
  };
  for (const v1::QuotaRow& row : rows) {
    const v1::QuotaLimits& limits = row.limits();
    Json json = QuotaJson(row);
    json["edits"] = Json::array();
    for (const v1::QuotaEdit& edit : edits) {
      if (IsOf(edit, row)) {
        json["edits"].push_back(EditJson(edit));
      }
    }
    listing.rows.push_back({
        .json = std::move(json),
        .cells = {
                  row.tenant(), row.project(), row.device_class(), absl::StrCat(limits.entitlement()),
                  limits.has_limit() ? absl::StrCat(limits.limit()) : "none", absl::StrCat(row.used()),
                  absl::StrCat(row.owned()), absl::StrCat(row.borrowed()), absl::StrCat(row.lent()),
                  absl::StrCat(row.pending()), row.capacity() == 0 ? "" : absl::StrCat(row.capacity())}
    });
  }
  return listing;
}

}  // namespace berth
