#!/usr/bin/env python3
"""forecast.py [PLACE]: a forecast of Open-Meteo on standard input, in words on standard output."""
import datetime, json, sys

CODES = {0: "clear", 1: "mostly clear", 2: "partly cloudy", 3: "overcast", 45: "fog", 48: "freezing fog", 51: "light drizzle", 53: "drizzle", 55: "heavy drizzle", 56: "freezing drizzle", 57: "freezing drizzle", 61: "light rain", 63: "rain", 65: "heavy rain", 66: "freezing rain", 67: "freezing rain", 71: "light snow", 73: "snow", 75: "heavy snow", 77: "snow grains", 80: "showers", 81: "showers", 82: "violent showers", 85: "snow showers", 86: "snow showers", 95: "thunderstorm", 96: "thunderstorm with hail", 99: "thunderstorm with hail"}


def words(code):
    return CODES.get(code, f"code {code}")


text = sys.stdin.read()
try:
    data = json.loads(text[max(text.find("{"), 0) :])
except json.JSONDecodeError:
    sys.exit("weather: that is no forecast of Open-Meteo")
if data.get("error"):
    sys.exit(f"weather: {data.get('reason', 'it was refused')}")
if "daily" not in data and "current" not in data:
    sys.exit("weather: that is no forecast of Open-Meteo")
place = " ".join(sys.argv[1:]) or f"{data.get('latitude')}, {data.get('longitude')}"
print(f"{place} ({data.get('timezone', 'UTC')})")
if now := data.get("current"):
    units = data.get("current_units", {})
    unit = lambda name: units.get(name, "")
    print(f"now: {now.get('temperature_2m')} {unit('temperature_2m')} (feels like {now.get('apparent_temperature')}), {words(now.get('weather_code'))}, wind {now.get('wind_speed_10m')} {unit('wind_speed_10m')}")
daily = data.get("daily", {})
for at, day in enumerate(daily.get("time", [])):
    get = lambda name: (daily.get(name) or [None] * (at + 1))[at]
    date = datetime.date.fromisoformat(day)
    rain = get("precipitation_sum")
    chance = get("precipitation_probability_max")
    sun = f", sun {str(get('sunrise'))[-5:]} to {str(get('sunset'))[-5:]}" if get("sunrise") else ""
    print(f"{date:%a %Y-%m-%d}: {get('temperature_2m_min')} to {get('temperature_2m_max')}, {words(get('weather_code'))}, {rain} mm{f' ({chance}%)' if chance is not None else ''}, wind up to {get('wind_speed_10m_max')}{sun}")
