#include "agent/devices/inventory.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include <gtest/gtest.h>

namespace berth {
namespace {

v1::Device Device(int index, const std::string& uuid, const std::string& device_class = "gpu",
                  const std::string& part_of = "") {
  v1::Device device;
  device.set_index(index);
  device.set_uuid(uuid);
  device.set_device_class(device_class);
  device.set_part_of(part_of);
  device.set_health(v1::DEVICE_HEALTH_OK);
  return device;
}

std::vector<v1::Device> Whole() {
  return {Device(0, "A"), Device(1, "B")};
}
// The first is divided.
std::vector<v1::Device> Divided() {
  return {Device(1, "B"), Device(100, "A0", "half", "A"), Device(101, "A1", "half", "A")};
}

std::string UuidsOf(const std::vector<v1::Device>& devices) {
  return absl::StrJoin(devices, " ", [](std::string* out, const v1::Device& device) {
    absl::StrAppend(out, device.index(), "=", device.uuid());
  });
}

TEST(StepInventory, WhatNoTaskHasIsReplacedAtOnce) {
  const InventoryStep step = StepInventory(Whole(), Divided(), {"B"});
  EXPECT_EQ(UuidsOf(step.devices), "1=B 100=A0 101=A1");
  EXPECT_TRUE(step.gone_in_use.empty());
  EXPECT_TRUE(step.is_last);
  const InventoryStep back = StepInventory(step.devices, Whole(), {});
  EXPECT_EQ(UuidsOf(back.devices), "0=A 1=B");
  EXPECT_TRUE(back.is_last);
}

TEST(StepInventory, ADeviceInUseStaysAndNoneOfItsPartsIsOffered) {
  const InventoryStep step = StepInventory(Whole(), Divided(), {"A"});
  EXPECT_EQ(UuidsOf(step.devices), "0=A 1=B");
  EXPECT_EQ(UuidsOf(step.gone_in_use), "0=A");
  EXPECT_FALSE(step.is_last);
  const InventoryStep later = StepInventory(step.devices, Divided(), {});
  EXPECT_EQ(UuidsOf(later.devices), "1=B 100=A0 101=A1");
  EXPECT_TRUE(later.is_last);
}

TEST(StepInventory, ADeviceInUseHasItsOtherFilesOnceItIsFree) {
  std::vector<v1::Device> found = Whole();
  found[0].set_minor_number(7);
  const InventoryStep step = StepInventory(Whole(), found, {"A"});
  EXPECT_EQ(step.devices[0].minor_number(), 0);
  EXPECT_TRUE(step.gone_in_use.empty());
  EXPECT_FALSE(step.is_last);
  const InventoryStep later = StepInventory(step.devices, found, {});
  EXPECT_EQ(later.devices[0].minor_number(), 7);
  EXPECT_TRUE(later.is_last);
}

TEST(StepInventory, TheWholeWaitsForThePartInUse) {
  const InventoryStep step = StepInventory(Divided(), Whole(), {"A1"});
  EXPECT_EQ(UuidsOf(step.devices), "1=B 101=A1");
  EXPECT_EQ(UuidsOf(step.gone_in_use), "101=A1");
  EXPECT_FALSE(step.is_last);
}

TEST(StepInventory, OtherPartsComeBesideTheOneInUse) {
  const std::vector<v1::Device> found = {Device(1, "B"), Device(101, "A1", "half", "A"),
                                         Device(102, "A2", "quarter", "A")};
  const InventoryStep step = StepInventory(Divided(), found, {"A1"});
  EXPECT_EQ(UuidsOf(step.devices), "1=B 101=A1 102=A2");
  EXPECT_TRUE(step.gone_in_use.empty());
  EXPECT_TRUE(step.is_last);
}

TEST(StepInventory, ADeviceInUseKeepsItsIndexWhateverTheDriverCallsItNow) {
  const std::vector<v1::Device> found = {Device(0, "B"), Device(1, "C")};
  const InventoryStep step = StepInventory(Whole(), found, {"B"});
  EXPECT_EQ(UuidsOf(step.devices), "1=B") << "C would have the same index";
  EXPECT_EQ(step.indexes, (std::map<int, int>{
                              {0, 1}
  }));
  EXPECT_TRUE(step.gone_in_use.empty());
  EXPECT_FALSE(step.is_last);
  EXPECT_EQ(UuidsOf(StepInventory(step.devices, found, {}).devices), "0=B 1=C");
}

// A vNPU that is removed and made anew has its number again.
TEST(StepInventory, APartOfAnotherClassIsAnotherDevice) {
  const std::vector<v1::Device> known = {Device(100, "A-v100", "small", "A")};
  const std::vector<v1::Device> found = {Device(100, "A-v100", "large", "A")};
  const InventoryStep step = StepInventory(known, found, {"A-v100"});
  EXPECT_EQ(step.devices.at(0).device_class(), "small");
  EXPECT_EQ(UuidsOf(step.gone_in_use), "100=A-v100");
  EXPECT_EQ(StepInventory(step.devices, found, {}).devices.at(0).device_class(), "large");
}

TEST(StepInventory, WhatWasKnownToBeBadStaysBad) {
  std::vector<v1::Device> known = Whole();
  known[1].set_health(v1::DEVICE_HEALTH_QUARANTINED);
  known[1].set_health_detail("Xid 79");
  const InventoryStep step = StepInventory(known, Divided(), {});
  EXPECT_EQ(step.devices.at(0).health(), v1::DEVICE_HEALTH_QUARANTINED);
  EXPECT_EQ(step.devices.at(0).health_detail(), "Xid 79");
}

}  // namespace
}  // namespace berth
