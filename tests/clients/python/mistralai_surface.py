"""Every operation of Mistral's Python client: those that Louver serves, plainly and async; the rest is refused."""

import surface
import surface_agents
import surface_audio
import surface_calls
import surface_files
import surface_refused
from checks import Checks

checks = Checks("mistralai surface")
surface.permit()
recorded = surface.Recorded("surface")
for family in (surface_calls, surface_audio, surface_agents, surface_files, surface_refused):
    family.add(checks, recorded)
checks.run()
